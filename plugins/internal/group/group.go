// Package group changes one setting of a control group that is there already
// and puts it back, in cgroup v1 or v2, whichever has the controller. Groups that
// carry Firedrill, sshd or pid 1 are refused.
package group

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Group identifies a control group in the hierarchy of one v1 controller, or in v2.
type Group struct {
	Mount   string `json:"mount"`             // of the hierarchy
	Path    string `json:"path"`              // below Mount, absolute
	Inode   uint64 `json:"inode"`             // another group of the same name has another one
	Version int    `json:"version,omitempty"` // 2 for cgroup v2; else v1
}

// V2 says that the group is one of cgroup v2.
func (g Group) V2() bool { return g.Version == 2 }

// Dir is the group's folder.
func (g Group) Dir() string { return filepath.Join(g.Mount, g.Path) }

// Find finds the group that is named in the hierarchy of controller. It refuses
// what is not there and what must not be touched, naming the parameter;
// fault.ErrUnsupported if no hierarchy has the controller.
func Find(controller string, named scope.Scope) (Group, error) {
	all, err := cgroup.Hierarchies()
	if err != nil {
		return Group{}, err
	}
	from, err := pick(all, controller)
	if err != nil {
		return Group{}, err
	}
	g, err := In(from, named)
	if err != nil {
		return Group{}, err
	}
	return g, g.spared(named.Field())
}

// In finds the group that is named in one hierarchy, whatever is in it. It refuses
// what is not there, naming the parameter.
func In(h cgroup.Hierarchy, named scope.Scope) (Group, error) {
	paths, err := named.Paths()
	if err != nil {
		return Group{}, err
	}
	g, found, err := in(h, paths)
	if err == nil && !found {
		err = fault.Refuse(named.Field(), "no control group %s in %s; name one that is there", paths, h.Mount)
	}
	return g, err
}

func in(h cgroup.Hierarchy, paths scope.Paths) (g Group, found bool, err error) {
	for _, p := range paths.In(h) {
		g = Group{Mount: h.Mount, Path: p, Version: h.Version}
		g.Inode, err = cgroup.Inode(g.Dir())
		if !gone(err) {
			return g, err == nil, err
		}
	}
	return Group{}, false, nil
}

// OfUnit is the group that systemd made for a unit, by the path that it gives: in
// cgroup v2, or in the hierarchy that it has for itself beside v1. ok is false if
// there is none.
func OfUnit(at string) (g Group, ok bool, err error) {
	if at == "" {
		return g, false, nil
	}
	all, err := cgroup.Hierarchies()
	if err != nil {
		return g, false, err
	}
	for _, h := range all {
		if h.Version == 1 && !slices.Contains(h.Controllers, "name=systemd") {
			continue
		}
		g = Group{Mount: h.Mount, Path: at, Version: h.Version}
		g.Inode, err = cgroup.Inode(g.Dir())
		if err == nil || !gone(err) {
			return g, err == nil, err
		}
	}
	return Group{}, false, nil
}

// pick returns the hierarchy that has the controller: each is in one only.
func pick(all []cgroup.Hierarchy, controller string) (cgroup.Hierarchy, error) {
	for _, h := range all {
		if slices.Contains(h.Controllers, controller) {
			return h, nil
		}
	}
	return cgroup.Hierarchy{}, fmt.Errorf("%w: no cgroup hierarchy with the controller %s is mounted", fault.ErrUnsupported, controller)
}

// Check returns fault.ErrGone if the group is another one than the record's.
func (g Group) Check(t fault.Target) error {
	if t.BootID != "" {
		b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
		if err == nil && strings.TrimSpace(string(b)) != t.BootID {
			return fmt.Errorf("%w: the host was booted since", fault.ErrGone)
		}
	}
	switch inode, err := cgroup.Inode(g.Dir()); {
	case gone(err):
		return fmt.Errorf("%w: no control group %s", fault.ErrGone, g.Path)
	case err != nil:
		return err
	case inode != g.Inode:
		return fmt.Errorf("%w: control group %s is another one now", fault.ErrGone, g.Path)
	}
	return nil
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENOTDIR)
}
