package grouptest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Service is a service of the host under test, which InHost tunes the group of.
const Service = "demo"

// New makes a group in the hierarchy of controller, with files set to what they
// shall hold, and returns its folder and its path; it goes with the test. Start
// loads after it.
func New(t testing.TB, controller string, files ...[2]string) (dir, path string) {
	t.Helper()
	need.Check(t, need.Root)
	path = "/" + digesttest.Name()
	dir = Also(t, controller, path)
	for _, f := range files {
		faulttest.Must(t, cgroup.Write(dir, f[0], f[1]))
	}
	return dir, path
}

// V2 stands for the v2 hierarchy in place of a v1 controller.
const V2 = "v2"

// Also makes the group of a path in the hierarchy of another controller, or in
// v2, and returns its folder; it goes with the test.
func Also(t testing.TB, controller, path string) (dir string) {
	t.Helper()
	h, err := hierarchyOf(controller)
	faulttest.Must(t, err)
	dir = filepath.Join(h.Mount, path)
	faulttest.Must(t, cgroup.Create(dir))
	t.Cleanup(func() { faulttest.Must(t, cgroup.Remove(dir, 5*time.Second)) })
	return dir
}

// OnV2 says that cgroup v2 has the controller on this machine. A machine without
// control groups, and one where tests may not touch them, counts as v1.
func OnV2(controller string) bool {
	h, err := hierarchyOf(controller)
	return err == nil && h.Version == 2
}

// Mounted says that the hierarchy of a controller, or v2, is there.
func Mounted(controller string) bool {
	_, err := hierarchyOf(controller)
	return err == nil
}

func hierarchyOf(controller string) (cgroup.Hierarchy, error) {
	all, err := cgroup.Hierarchies()
	if err != nil {
		return cgroup.Hierarchy{}, err
	}
	for _, h := range all {
		if h.Version == 2 && controller == V2 || slices.Contains(h.Controllers, controller) {
			return h, nil
		}
	}
	return cgroup.Hierarchy{}, fmt.Errorf("find controller %s: %w", controller, cgroup.ErrNoHierarchy)
}

// Text is what a file of a group holds.
func Text(t testing.TB, dir, file string) string {
	t.Helper()
	text, err := cgroup.Read(dir, file)
	faulttest.Must(t, err)
	return text
}

// Write is one write of a file of a group, as one would do it by hand.
func Write(t testing.TB, dir, file, text string) func() {
	return func() {
		t.Helper()
		faulttest.Must(t, cgroup.Write(dir, file, text))
	}
}

// Knob is one file of a group in a host: that of Service, if no path is given.
type Knob struct{ Controller, File, Path string }

// dir is the group as the machine sees it.
func (k Knob) dir(host *faulttest.Host) (string, error) {
	s, err := host.Lab.Power().Status(context.Background(), host.Name)
	if err != nil {
		return "", err
	}
	v2, err := cgroup.V2()
	if err != nil {
		return "", err
	}
	below, err := filepath.Rel(v2.Mount, s.Cgroup)
	if err != nil {
		return "", err
	}
	h, err := hierarchyOf(k.Controller)
	path := k.Path
	if path == "" {
		path = "svc/" + Service
	}
	return filepath.Join(h.Mount, below, path), err
}

// Make makes the group, with the file set to text.
func (k Knob) Make(text string) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		dir, err := k.dir(h)
		if err != nil {
			return err
		}
		services := filepath.Dir(dir)
		if err := cgroup.Create(services); err != nil {
			return err
		}
		if k.Controller != V2 && OnV2(k.Controller) { // v2 itself needs no controller
			if err := cgroup.Write(services, "cgroup.subtree_control", "+"+k.Controller); err != nil {
				return err
			}
		}
		return errors.Join(cgroup.Create(dir), cgroup.Write(dir, k.File, text))
	}
}

// Set writes the file.
func (k Knob) Set(text string) func(*faulttest.Host) error {
	return func(h *faulttest.Host) error {
		dir, err := k.dir(h)
		if err != nil {
			return err
		}
		return cgroup.Write(dir, k.File, text)
	}
}

// Read reads the file.
func (k Knob) Read(h *faulttest.Host) (string, error) {
	dir, err := k.dir(h)
	if err != nil {
		return "", err
	}
	return cgroup.Read(dir, k.File)
}

// Disturbance is an owner who sets the file to theirs where found was.
func (k Knob) Disturbance(found, theirs string) *faulttest.Disturbance {
	return &faulttest.Disturbance{
		Change: k.Set(theirs),
		Kept: func(h *faulttest.Host) error {
			now, err := k.Read(h)
			if err == nil && now != theirs {
				err = fmt.Errorf("%s is %s, the other owner set %s", k.File, now, theirs)
			}
			return err
		},
		Undo:  k.Set(found),
		Stuck: true,
	}
}
