package group

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// HandDown is a unit of ours for which systemd hands a controller on to the
// groups of services, so that these have the controller's files. By itself
// systemd does so only where some service sets a property of that kind; the
// service under test is not changed, and keeps no trace in systemd.
type HandDown struct {
	Unit       string `json:"unit"`
	Controller string `json:"controller"`
}

// HandDown is what it takes for g to have file; nil if it has it, or if systemd
// is not the one to ask.
func (g Group) HandDown(controller, file string) *HandDown {
	_, err := os.Stat(filepath.Join(g.Dir(), file))
	if !errors.Is(err, fs.ErrNotExist) || !g.V2() || path.Dir(g.Path) != "/"+systemd.Slice || !systemd.Running() {
		return nil
	}
	// One for each group: two faults on two services end at different times.
	return &HandDown{Unit: fmt.Sprintf("system-firedrill%d.slice", g.Inode), Controller: controller}
}

// Start starts the unit; again is fine. A nil HandDown does nothing.
func (h *HandDown) Start() error {
	if h == nil {
		return nil
	}
	return systemd.HandDown(h.Unit, h.Controller)
}

// Stop stops the unit; one that is not there is fine.
func (h *HandDown) Stop() error {
	if h == nil {
		return nil
	}
	return systemd.Stop(h.Unit)
}

// Lacks says that the record's group is there without the file: what hands the
// controller on never started, or is over.
func (s Setting) Lacks(t fault.Target) bool {
	if s.Group.Check(t) != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(s.Group.Dir(), s.File))
	return errors.Is(err, fs.ErrNotExist)
}
