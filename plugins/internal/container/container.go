// Package container finds the containers of a host by their ids, without asking
// the program that runs them: containerd, Docker, CRI-O and Podman all put a
// container into a control group whose name holds its id. It fails where control
// groups carry no ids, as for containers that somebody named by hand.
package container

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Named is the part of a fault's parameters that names a container.
type Named struct {
	// Container is an id or its beginning.
	Container string `json:"container,omitempty" jsonschema:"pattern=^[0-9a-f]{12\\,64}$,title=the id of a container\\, or the first 12 of its digits,example=4c01db0b339c,description=Container that it is about\\, of containerd\\, Docker\\, CRI-O or Podman\\, by its id"`
}

// ErrEnded says that a container has no process any more.
var ErrEnded = errors.New("container ended")

// Container is a container with its control groups.
type Container struct {
	ID    string            // all 64 digits
	Paths map[string]string // its group below the mount of each hierarchy that has one
}

// idForm is what is asked for: 12 digits are what lists of containers show.
var idForm = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// Find finds the one container whose id begins with so many of its digits. It
// refuses by the parameter container what is no id, and what none or several have.
func Find(id string) (Container, error) {
	if !idForm.MatchString(id) {
		return Container{}, fault.Refuse("container", "%q is no id of a container; give its 64 hexadecimal digits, or the first 12 at least", id)
	}
	all, err := cgroup.Hierarchies()
	if err != nil {
		return Container{}, err
	}
	found := map[string]Container{}
	for _, h := range all {
		if err := search(h.Mount, id, found); err != nil {
			return Container{}, err
		}
	}
	switch ids := slices.Sorted(maps.Keys(found)); len(ids) {
	case 0:
		return Container{}, fault.Refuse("container", "no control group of this host is of a container whose id begins with %s; name one that runs", id)
	case 1:
		return found[ids[0]], nil
	default:
		return Container{}, fault.Refuse("container", "%d containers have an id that begins with %s: %s; give more digits", len(ids), id, strings.Join(ids, ", "))
	}
}

// search adds to found the containers of one hierarchy whose id begins with prefix.
func search(mount, prefix string, found map[string]Container) error {
	err := filepath.WalkDir(mount, func(dir string, e fs.DirEntry, err error) error {
		if vanished(err) {
			return fs.SkipDir
		}
		if err != nil || !e.IsDir() {
			return err
		}
		id := idOf(e.Name())
		if id == "" {
			return nil
		}
		if strings.HasPrefix(id, prefix) {
			if found[id].Paths == nil {
				found[id] = Container{ID: id, Paths: map[string]string{}}
			}
			found[id].Paths[mount] = strings.TrimPrefix(dir, mount)
		}
		return fs.SkipDir // what is below belongs to the container
	})
	if err != nil {
		return fmt.Errorf("search %s for containers: %w", mount, err)
	}
	return nil
}

func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// groupForm is the name of a container's group: the id alone, or after the name of
// a runtime; as a unit of systemd it is a scope.
var groupForm = regexp.MustCompile(`^(?:(.*)[-:])?([0-9a-f]{64})(?:\.scope)?$`)

// idOf is the id of the container whose group has this name; "" if it is no
// container's. CRI-O and Podman have a watcher of each container, conmon, in a
// group of its own.
func idOf(name string) string {
	m := groupForm.FindStringSubmatch(name)
	if m == nil || strings.HasSuffix(m[1], "conmon") {
		return ""
	}
	return m[2]
}

// First is the process of the container that began first.
func (c Container) First() (first process.ID, err error) {
	for mount, path := range c.Paths {
		pids, err := cgroup.Below(filepath.Join(mount, path))
		if err != nil {
			return first, err
		}
		for _, pid := range pids {
			p, err := process.Read(pid)
			if errors.Is(err, process.ErrEnded) {
				continue
			}
			if err != nil {
				return first, err
			}
			if first.PID == 0 || p.Start < first.Start || p.Start == first.Start && p.PID < first.PID {
				first = p
			}
		}
	}
	if first.PID == 0 {
		return first, fmt.Errorf("container %s has no process: %w", c.ID, ErrEnded)
	}
	return first, nil
}
