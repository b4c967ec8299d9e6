package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Selection says whose processes are meant; exactly one field is set. It stands
// in change records: a service that was started again has other processes and,
// under systemd, another group of the same name.
type Selection struct {
	Service    string `json:"service,omitempty"`
	Group      string `json:"group,omitempty"`
	Executable string `json:"executable,omitempty"`
}

// Field is the parameter that says so.
func (s Selection) Field() string {
	switch {
	case s.Group != "":
		return "group"
	case s.Executable != "":
		return "executable"
	}
	return "service"
}

// check refuses a selection that is none, naming the parameter.
func (s Selection) check() error {
	given := 0
	for _, f := range []string{s.Service, s.Group, s.Executable} {
		if f != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return fault.Refuse(s.Field(), "is given beside another one; give one of service, group and executable")
	case given == 0:
		return fault.Refuse("service", "neither service, group nor executable is given; name a service of the host, a control group, or a program")
	case s.Group == "/":
		return fault.Refuse("group", "/ is the group of the whole host, Firedrill and pid 1 included; name a group below it")
	case s.Group != "" && (!path.IsAbs(s.Group) || path.Clean(s.Group) != s.Group):
		return fault.Refuse("group", "%q is no clean path below the hierarchy; write it like /svc/notes", s.Group)
	case strings.Contains(s.Service, "/") || s.Service == "." || s.Service == "..":
		return fault.Refuse("service", "%q is no name of a service; give a path as group", s.Service)
	case strings.Contains(s.Executable, "/") && (!path.IsAbs(s.Executable) || path.Clean(s.Executable) != s.Executable):
		return fault.Refuse("executable", "%q is neither a name nor a clean absolute path", s.Executable)
	}
	return nil
}

// Find lists the processes that are selected now, at least one. It refuses a
// selection of none, and one that holds what must be spared, naming the
// parameter.
func (s Selection) Find() ([]ID, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	found, err := s.List()
	if err == nil && len(found) == 0 {
		err = s.refuseNone()
	}
	return found, err
}

func (s Selection) refuseNone() error {
	switch s.Field() {
	case "executable":
		return fault.Refuse("executable", "no process runs %q; name a program that runs, by its name or the path of its file", s.Executable)
	case "group":
		return fault.Refuse("group", "no process is in a control group %s; name one in which something runs", s.Group)
	}
	return fault.Refuse("service", "no process is in a control group %s; name a service that runs", strings.Join(s.paths(), " or "))
}

// List is Find for later: none is no error, for all may have ended.
func (s Selection) List() ([]ID, error) {
	pids, err := s.pids()
	if err != nil {
		return nil, err
	}
	spared := Sparer()
	var found []ID
	for _, pid := range pids {
		p, err := Read(pid)
		if errors.Is(err, ErrEnded) {
			continue // between the list and now
		}
		if err != nil {
			return nil, err
		}
		if why := spared(p.PID); why != "" {
			return nil, fault.Refuse(s.Field(), "selects %s, %s; select services alone", p, why)
		}
		found = append(found, p)
	}
	return found, nil
}

// WithDescendants adds to a list of the selection all that descend from it. It
// refuses what must be spared, like Find.
func (s Selection) WithDescendants(list []ID) ([]ID, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	children := map[int][]ID{}
	for _, p := range all {
		if st, err := readStat(p.PID); err == nil {
			children[st.parent] = append(children[st.parent], p)
		}
	}
	spared := Sparer()
	out := slices.Clone(list)
	for i := 0; i < len(out); i++ {
		for _, child := range children[out[i].PID] {
			if slices.Contains(out, child) {
				continue
			}
			if why := spared(child.PID); why != "" {
				return nil, fault.Refuse(s.Field(), "selects %s, from which %s descends, %s; select services alone", out[i], child, why)
			}
			out = append(out, child)
		}
	}
	return out, nil
}

func (s Selection) pids() ([]int, error) {
	if s.Executable != "" {
		return running(s.Executable)
	}
	all, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	// v2 first: there each process is in one place.
	slices.SortStableFunc(all, func(a, b cgroup.Hierarchy) int { return b.Version - a.Version })
	for _, h := range all {
		for _, p := range s.paths() {
			pids, err := below(filepath.Join(h.Mount, p))
			if err != nil || len(pids) > 0 {
				return pids, err
			}
		}
	}
	return nil, nil
}

// paths are where the group may be.
func (s Selection) paths() []string {
	if s.Group != "" {
		return []string{s.Group}
	}
	return GroupsOf(s.Service)
}

// GroupsOf are the paths of the control groups that may be a service's: in a lab
// host, and under systemd, which has some services in slices of their own.
func GroupsOf(service string) []string {
	unit := strings.TrimSuffix(service, ".service") + ".service"
	at := systemd.GroupOf(unit)
	if at == "" {
		at = "/" + systemd.Slice + "/" + unit
	}
	return []string{"/svc/" + service, at}
}

// below lists the pids in a group and in all groups below it.
func below(group string) (pids []int, err error) {
	err = filepath.WalkDir(group, func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			if vanished(err) {
				return fs.SkipDir
			}
			return err
		}
		own, err := cgroup.Procs(dir)
		if err != nil && !vanished(err) && !errors.Is(err, syscall.EOPNOTSUPP) { // the last: threads alone, whose process is listed above
			return err
		}
		pids = append(pids, own...)
		return nil
	})
	return pids, err
}

func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.ENOTDIR)
}

// running lists the pids of processes that run a program: its file, if name is a
// path, or else a file or a script of that name.
func running(name string) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !runs(pid, name) {
			continue
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

func runs(pid int, name string) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	exe = strings.TrimSuffix(exe, " (deleted)")
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH):
		return false // a thread of the kernel, or gone
	case path.IsAbs(name):
		return exe == name
	case err == nil && path.Base(exe) == name:
		return true
	}
	s, err := readStat(pid)
	return err == nil && s.name == name // what a script is called, up to 15 bytes
}
