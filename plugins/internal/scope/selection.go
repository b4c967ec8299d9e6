package scope

import (
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Selection is the part of a fault's parameters that says whose processes are
// meant; exactly one is given. It stands in change records: a service that was
// started again has other processes and, under systemd, another group of the same
// name.
type Selection struct {
	Scope
	// Executable is the path of a program's file, or a name.
	Executable string `json:"executable,omitempty" jsonschema:"minLength=1,example=postgres,description=Program whose processes it is about: the path of its file\\, or the name of the file or script"`
}

// Field is the parameter that says so.
func (s Selection) Field() string {
	if s.Executable != "" {
		return "executable"
	}
	return s.Scope.Field()
}

// Check refuses a selection that is none, by the parameter.
func (s Selection) Check() error {
	switch {
	case s.Executable == "" && !s.Given():
		return fault.Refuse("service", "neither service, group, container nor executable is given; name a service of the host, a control group, a container, or a program")
	case s.Executable == "":
		return s.Scope.Check()
	case s.Given():
		return fault.Refuse("executable", "is given beside %s; give one of them", s.Scope.Field())
	case strings.Contains(s.Executable, "/") && (!path.IsAbs(s.Executable) || path.Clean(s.Executable) != s.Executable):
		return fault.Refuse("executable", "%q is neither a name nor a clean absolute path", s.Executable)
	}
	return nil
}

// Find lists the processes that are selected now, at least one, and completes the
// id of a container, so that nobody else is meant later. It refuses a selection of
// none, and one that holds what must be spared, naming the parameter.
func (s *Selection) Find() ([]process.ID, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.Container != "" {
		c, err := container.Find(s.Container)
		if err != nil {
			return nil, err
		}
		s.Container = c.ID
	}
	found, err := s.List()
	if err == nil && len(found) == 0 {
		err = s.refuseNone()
	}
	return found, err
}

func (s Selection) refuseNone() error {
	field, what := s.Field(), ""
	switch field {
	case "executable":
		return fault.Refuse(field, "no process runs %q; name a program that runs, by its name or the path of its file", s.Executable)
	case "group":
		what = "control group " + s.Group
	default:
		what = field + " " + s.Service + s.Container
	}
	return fault.Refuse(field, "no process is in %s; name one in which something runs", what)
}

// List is Find for later: none is no error, for all may have ended.
func (s Selection) List() ([]process.ID, error) {
	pids, err := s.pids()
	if err != nil {
		return nil, err
	}
	spared := process.Sparer()
	var found []process.ID
	for _, pid := range pids {
		p, err := process.Read(pid)
		if errors.Is(err, process.ErrEnded) {
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
func (s Selection) WithDescendants(list []process.ID) ([]process.ID, error) {
	children, err := process.Children()
	if err != nil {
		return nil, err
	}
	spared := process.Sparer()
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
		return process.Running(s.Executable)
	}
	paths, err := s.Paths()
	var none *fault.RefusedError
	if s.Container != "" && errors.As(err, &none) {
		return nil, nil // its control group went with it
	}
	if err != nil {
		return nil, err
	}
	all, err := cgroup.Hierarchies()
	if err != nil {
		return nil, err
	}
	// v2 first: there each process is in one place.
	slices.SortStableFunc(all, func(a, b cgroup.Hierarchy) int { return b.Version - a.Version })
	for _, h := range all {
		for _, p := range paths.In(h) {
			pids, err := cgroup.Below(filepath.Join(h.Mount, p))
			if err != nil || len(pids) > 0 {
				return pids, err
			}
		}
	}
	return nil, nil
}
