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
	// One for each group and controller: two faults end at different times.
	return &HandDown{Unit: fmt.Sprintf("system-firedrill%d%s.slice", g.Inode, controller), Controller: controller}
}

// Apply starts the unit, again is fine, and then applies the setting. A nil
// HandDown has nothing to start.
func (h *HandDown) Apply(s Setting, t fault.Target) error {
	if h != nil {
		if err := systemd.HandDown(h.Unit, h.Controller); err != nil {
			return err
		}
	}
	return s.Apply(t)
}

// Revert reverts the setting and then stops the unit; one that is not there is
// fine.
func (h *HandDown) Revert(s Setting, t fault.Target) error {
	if h == nil {
		return s.Revert(t)
	}
	var err error
	if !s.Lacks(t) {
		err = s.Revert(t)
	}
	return errors.Join(err, systemd.Stop(h.Unit))
}

// Lacks says that the record's group is there without the file: what hands the
// controller on never started, or is over.
func (s Setting) Lacks(t fault.Target) bool {
	if s.Group.check(t) != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(s.Group.Dir(), s.File))
	return errors.Is(err, fs.ErrNotExist)
}
