package group

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

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

// HandDown is what it takes for g to have the files of a controller for as long as
// a fault lasts; nil if systemd is not the one to ask. That g has them now says
// nothing: whoever asked for them may be gone, and the manager takes them away with
// what it does next.
func (g Group) HandDown(controller string) *HandDown {
	slice, ok := strings.CutSuffix(path.Base(path.Dir(g.Path)), ".slice")
	if !g.V2() || !ok || !systemd.Running() {
		return nil
	}
	// One for each group and controller: two faults end at different times. The
	// dash puts it into the slice, systemd.slice(5).
	return &HandDown{Unit: fmt.Sprintf("%s-firedrill%d%s.slice", slice, g.Inode, controller), Controller: controller}
}

// The manager sets up all groups of a slice anew, and one by one, when a controller
// is handed on: for a moment a file may be gone, or set back.
const (
	settleTime = 2 * time.Second
	steadyTime = 150 * time.Millisecond
)

// Apply starts the unit, again is fine, and applies the setting until it is there
// for a while. A nil HandDown has nothing to start.
func (h *HandDown) Apply(t fault.Target, s Setting) error {
	return h.ApplyBy(t, s, func() error { return s.Apply(t) }, func() bool { return s.Holds(t) })
}

// ApplyBy is Apply for a change of the setting's file by apply, which is there when
// holds says so.
func (h *HandDown) ApplyBy(t fault.Target, s Setting, apply func() error, holds func() bool) error {
	if h == nil {
		return apply()
	}
	if err := systemd.HandDown(h.Unit, h.Controller); err != nil {
		return err
	}
	for end := time.Now().Add(settleTime); ; time.Sleep(steadyTime / 10) {
		err := apply()
		switch lacks := s.Lacks(t); {
		case err == nil && steady(holds):
			return nil
		case errors.Is(err, fault.ErrGone) && !lacks:
			return err
		case time.Now().Before(end):
		case lacks:
			return fmt.Errorf("%w: systemd could not hand the controller %s on to %s; with CONFIG_RT_GROUP_SCHED the kernel refuses cpu while a process in some group is scheduled in real time", fault.ErrUnsupported, h.Controller, s.Group.Path)
		case err != nil:
			return err
		default:
			return fmt.Errorf("set %s of %s: systemd sets it back again and again; see what else sets limits of its units", s.File, s.Group.Path)
		}
	}
}

func steady(holds func() bool) bool {
	for end := time.Now().Add(steadyTime); time.Now().Before(end); time.Sleep(steadyTime / 10) {
		if !holds() {
			return false
		}
	}
	return true
}

// Stop stops the unit; one that is not there is fine.
func (h *HandDown) Stop() error {
	if h == nil {
		return nil
	}
	return systemd.Stop(h.Unit)
}

// Revert reverts the setting, unless its file is not there, and stops the unit.
func (h *HandDown) Revert(t fault.Target, s Setting) error {
	return h.RevertBy(t, s, func() error { return s.Revert(t) })
}

// RevertBy is Revert for a change of the setting's file that revert undoes.
func (h *HandDown) RevertBy(t fault.Target, s Setting, revert func() error) error {
	if h == nil {
		return revert()
	}
	var err error
	if !s.Lacks(t) {
		err = revert()
	}
	return errors.Join(err, h.Stop())
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
