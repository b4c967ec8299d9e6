// Package scope reads the parameters by which faults name a part of a host: a
// service, a control group, a container, or a program.
package scope

import (
	"path"
	"strings"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
)

// Scope is the part of a fault's parameters that names a control group, in one of
// three ways. Faults embed it, so that all of them name alike.
type Scope struct {
	// Service is one of the host's own, as systemd or the lab names it.
	Service string `json:"service,omitempty" jsonschema:"minLength=1,description=Service of the host whose processes it is about; one of service\\, group and container"`
	// Group is a path below the hierarchy, whichever has the controller.
	Group string `json:"group,omitempty" jsonschema:"pattern=^/.,title=a path that begins with /,example=/svc/notes,description=Control group whose processes it is about\\, those of groups below it too\\, as a path below the hierarchy (/svc holds all services of a lab host)"`
	container.Named
}

// Given says whether there is any.
func (s Scope) Given() bool { return s != Scope{} }

// Field is the parameter by which it is named.
func (s Scope) Field() string {
	switch {
	case s.Container != "":
		return "container"
	case s.Group != "":
		return "group"
	}
	return "service"
}

// Check refuses what names nothing, too much, or the whole host, by the parameter.
func (s Scope) Check() error {
	switch {
	case !s.Given():
		return fault.Refuse("service", "neither service, group nor container is given; name a service of the host, its control group, or a container")
	case s != Scope{Service: s.Service} && s != Scope{Group: s.Group} && s != Scope{Named: s.Named}:
		return fault.Refuse(s.Field(), "is given beside another one; give one of service, group and container")
	case s.Group == "/":
		return fault.Refuse("group", "/ is the group of the whole host, Firedrill and pid 1 included; name a group below it")
	case s.Group != "" && (!path.IsAbs(s.Group) || path.Clean(s.Group) != s.Group):
		return fault.Refuse("group", "%q is no clean path below the hierarchy; write it like /svc/notes", s.Group)
	case strings.Contains(s.Service, "/") || s.Service == "." || s.Service == "..":
		return fault.Refuse("service", "%q is no name of a service; give a path as group", s.Service)
	}
	return nil
}

// Paths are where the control group may be.
type Paths struct {
	same   []string          // in every hierarchy
	single map[string]string // by the mount of the hierarchy
	name   string
}

// Paths says where the control group may be. It refuses by the parameter's name.
func (s Scope) Paths() (Paths, error) {
	if err := s.Check(); err != nil {
		return Paths{}, err
	}
	switch {
	case s.Container != "":
		c, err := container.Find(s.Container)
		return Paths{single: c.Paths, name: "of container " + c.ID}, err
	case s.Group != "":
		return Paths{same: []string{s.Group}, name: s.Group}, nil
	}
	same := groupsOf(s.Service)
	return Paths{same: same, name: strings.Join(same, " or ")}, nil
}

// groupsOf are the paths of the control groups that may be a service's: in a lab
// host, and under systemd, which has some services in slices of their own.
func groupsOf(service string) []string {
	unit := strings.TrimSuffix(service, ".service") + ".service"
	at := systemd.GroupOf(unit)
	if at == "" {
		at = "/" + systemd.Slice + "/" + unit
	}
	return []string{"/svc/" + service, at}
}

// In are the paths to try in one hierarchy, in this order.
func (p Paths) In(h cgroup.Hierarchy) []string {
	if at, ok := p.single[h.Mount]; ok {
		return []string{at}
	}
	return p.same
}

// String names them for people, after "control group".
func (p Paths) String() string { return p.name }
