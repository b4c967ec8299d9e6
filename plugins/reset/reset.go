// Package reset ends established TCP connections, once or again and again: both
// ends get an error at once, as from a firewall that forgot its connections or a
// load balancer that was started anew. New connections work.
//
// It asks the kernel to destroy the host's sockets (SOCK_DESTROY of
// sock_diag(7)), each by its cookie. The program here gets ECONNABORTED, the peer
// a reset. IPv4 and IPv6.
package reset

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/connection"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Kind is the name of this fault.
const Kind fault.Kind = "reset"

func init() { fault.Register(Kind, fault.NewDriver(New())) }

// Change is the change record.
type Change struct {
	Version int    `json:"version"`
	Owner   string `json:"owner"` // names the injection's mark
	network.Place
	Rule   Rule             `json:"rule"`
	Exempt []netip.AddrPort `json:"exempt,omitempty"`
	Found  int              `json:"found"` // connections that matched when it was prepared
	Every  time.Duration    `json:"every,omitempty"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// Plugin is the fault.
type Plugin struct {
	runner *rounds.Runner[connection.Connection]
	// noEffect is a switch of tests: no socket is destroyed.
	noEffect bool
}

// New returns the plugin.
func New() *Plugin { return &Plugin{runner: rounds.New[connection.Connection](Kind)} }

var _ fault.Plugin[Params, Change] = (*Plugin)(nil)

// Describe implements fault.Plugin.
func (*Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Resets established TCP connections by peer, address, port and process, once or again and again; new ones work.",
		PluginVersion: "1.0.0",
		Touches:       []string{"connections"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}, Features: []string{"inet-diag-destroy"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysConnections,
	}
}

// Prepare implements fault.Plugin. Connections come and go, so that there may be
// none yet: then Observe says so, and the fault is not in force.
func (*Plugin) Prepare(_ context.Context, t fault.Target, p Params) (c Change, err error) {
	c = Change{Version: changeVersion, Owner: keep.NewOwner(), Exempt: t.Exempt}
	if c.Rule, c.Every, err = p.parse(); err != nil {
		return c, err
	}
	var ns *netns.NS
	if c.Place, ns, err = network.Find(t, p.Container); err != nil {
		return c, err
	}
	defer ns.Close()
	if p.Selection != (scope.Selection{}) && c.Container == nil {
		c.Rule.Of = p.Selection
		if _, err := c.Rule.Of.Find(); err != nil {
			return c, err
		}
	}
	err = ns.Do(func() error {
		if err := connection.Probe(); err != nil {
			return err
		}
		found, err := c.matching()
		c.Found = len(found)
		return err
	})
	return c, err
}

// Apply implements fault.Plugin.
func (r *Plugin) Apply(ctx context.Context, t fault.Target, c Change, _, until fault.BootTime) error {
	if err := process.SameBoot(t); err != nil {
		return err
	}
	if err := c.Do(t, c.Check); err != nil {
		return err
	}
	return r.runner.Apply(r.plan(t, c), until, fault.Logger(ctx))
}

// Revert implements fault.Plugin. It ends the repetition; connections come back
// when programs make them.
func (r *Plugin) Revert(_ context.Context, _ fault.Target, c Change) error {
	return r.runner.Revert(c.Owner)
}

func (r *Plugin) plan(t fault.Target, c Change) rounds.Plan[connection.Connection] {
	return rounds.Plan[connection.Connection]{
		Owner: c.Owner,
		Every: c.Every,
		Round: func() (done []connection.Connection, missed int, err error) {
			err = c.Do(t, func() error {
				done, missed, err = r.round(c)
				return err
			})
			return done, missed, err
		},
		Gone: func(done []connection.Connection) (n int, err error) {
			if len(done) == 0 {
				return 0, nil
			}
			err = c.Do(t, func() error {
				n, err = gone(done)
				return err
			})
			if errors.Is(err, fault.ErrGone) {
				return len(done), nil // with the whole namespace
			}
			return n, err
		},
	}
}

func (r *Plugin) round(c Change) (done []connection.Connection, missed int, err error) {
	matching, err := c.matching()
	if err != nil {
		return nil, 0, err
	}
	for _, m := range matching {
		if r.noEffect {
			done = append(done, m)
			continue
		}
		switch gone, err := m.Destroy(); {
		case err != nil:
			return done, missed, err
		case gone:
			missed++
		default:
			done = append(done, m)
		}
	}
	return done, missed, nil
}

// connected picks the sockets that hold a connection.
func connected(s connection.State) bool {
	return s == connection.Established || s == connection.CloseWait
}

// matching lists what the rule means, without the operator's ways in.
func (c Change) matching() ([]connection.Connection, error) {
	held, err := c.Rule.held()
	if err != nil {
		return nil, err
	}
	all, err := connection.List(connected)
	return slices.DeleteFunc(all, func(s connection.Connection) bool {
		return s.Local.Port() == network.SSHD || s.Remote.Port() == network.SSHD || held != nil && !held[s.Inode] || !c.Rule.matches(s) ||
			slices.Contains(c.Exempt, plain(s.Remote)) || slices.Contains(c.Exempt, plain(s.Local)) // the broker may be on this host
	}), err
}

// plain is an IPv4 address where a socket for both families has one of IPv6.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// gone is the meter: it lists all sockets anew and looks for the cookies.
func gone(done []connection.Connection) (int, error) {
	all, err := connection.List(connected)
	if err != nil {
		return 0, err
	}
	there := map[[2]uint32]bool{}
	for _, s := range all {
		there[s.Cookie] = true
	}
	n := 0
	for _, s := range done {
		if !there[s.Cookie] {
			n++
		}
	}
	return n, nil
}

// Observe implements fault.Plugin. Present means that all sockets that were to be
// destroyed are gone and, of a repetition, that it goes on.
func (r *Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{{Name: "connections reset", Value: float64(c.Found), Unit: "connections"}}}
	n, present, err := r.runner.Observe(r.plan(t, c))
	if err != nil || !present {
		return o, err
	}
	o.Asked[0].Value = float64(n.Acted) // what was there then, not when it was prepared
	o.Achieved = []fault.Measure{
		{Name: "connections reset", Value: float64(n.Gone), Unit: "connections"},
		{Name: "closed by themselves before", Value: float64(n.Missed), Unit: "connections"},
		{Name: "rounds", Value: float64(n.Rounds), Unit: "rounds"},
	}
	o.State, o.Dose = fault.Present, fault.Exercised
	o.Detail = fmt.Sprintf("%d of %d connections are gone, in %d rounds", n.Gone, n.Acted, n.Rounds)
	switch {
	case n.Ended:
		o.State, o.Dose = fault.Partial, fault.NotInForce
		o.Detail += "; the repetition is over " + n.Failed
	case n.Acted == 0 && c.Every > 0:
		o.Dose = fault.InForce
		o.Detail = "it looks for connections again and again; none matched so far"
	case n.Acted == 0:
		o.State, o.Dose = fault.Partial, fault.NotInForce
		o.Detail = "no connection matched when it began"
	case n.Gone < n.Acted:
		o.State, o.Dose = fault.Partial, fault.NotInForce
	}
	return o, nil
}
