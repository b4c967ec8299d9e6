package traffic

import (
	"errors"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Begin opens the network namespace that a selection is about, and begins the
// record of an injection into it. The caller must Close the space.
//
// A container is its network namespace. One that shares the host's is a control
// group like a service: then the rule is about the packets of its sockets.
func Begin(t fault.Target, sel Selection, a Action) (*Space, Change, error) {
	c := Change{Owner: newOwner(), Action: a, Exempt: t.Exempt}
	var err error
	if c.Rule, err = sel.Rule(); err != nil {
		return nil, c, err
	}
	if sel.Given() {
		if err := sel.Check(); err != nil {
			return nil, c, err
		}
	}
	var ns *netns.NS
	if c.Place, ns, err = network.Find(t, sel.Container); err != nil {
		return nil, c, err
	}
	if sel.Given() && c.Container == nil {
		g, err := groupOf(sel.Scope)
		if err != nil {
			return nil, c, errors.Join(err, ns.Close())
		}
		c.Rule.Group = &g
	}
	s, err := open(ns)
	return s, c, err
}

// groupOf finds the group in cgroup v2, by which the kernel knows whose a packet is.
func groupOf(named scope.Scope) (g group.Group, err error) {
	v2, err := cgroup.V2()
	if errors.Is(err, cgroup.ErrNoHierarchy) {
		return g, fmt.Errorf("%w: the kernel tells whose a packet is by cgroup v2, and that is not mounted here (`mount -t cgroup2`); leave %s out and select by addresses and ports", fault.ErrUnsupported, named.Field())
	}
	if err != nil {
		return g, err
	}
	g, err = group.In(v2, named)
	var refused *fault.RefusedError
	absent := errors.As(err, &refused)
	if err != nil && !absent {
		return g, err
	}
	if !absent {
		pids, err := g.Processes()
		if err != nil || len(pids) > 0 {
			return g, err
		}
	}
	if only := inV1(named); only != "" {
		return g, fmt.Errorf("%w: the kernel tells whose a packet is by cgroup v2, and the processes of %s are in a group of their own in v1 alone; leave %s out and select by addresses and ports", fault.ErrUnsupported, only, named.Field())
	}
	return g, err
}

// inV1 is the path of the group in the first hierarchy of v1 in which it holds
// processes; "" if there is none.
func inV1(named scope.Scope) string {
	all, _ := cgroup.Hierarchies()
	for _, h := range all {
		if h.Version != 1 {
			continue
		}
		if g, err := group.In(h, named); err == nil {
			if pids, _ := g.Processes(); len(pids) > 0 {
				return g.Path
			}
		}
	}
	return ""
}

// gone returns fault.ErrGone if the service or container of the record ended since,
// or was started again: then the rule is about nobody.
func (c Change) gone(t fault.Target) error {
	if c.Rule.Group != nil {
		if err := c.Rule.Group.Check(t); err != nil {
			return err
		}
	}
	return c.Check()
}
