package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// agentsLimit is how long the agents may take to be reachable.
const agentsLimit = 30 * time.Second

// fleet is the agents of one layout and what they said of themselves.
type fleet struct {
	agents Agents
	racks  map[string]string // host -> rack
	names  []string          // of all agents the plan needs, sorted
	hosts  []string          // that have an agent inside

	mu     sync.Mutex
	status map[string]control.StatusReply
}

func newFleet(agents Agents, inv *inventory.Inventory, p *plan.Plan) *fleet {
	f := &fleet{agents: agents, racks: map[string]string{}, status: map[string]control.StatusReply{}}
	for _, h := range inv.Hosts {
		if h.Site == inventory.Internet {
			continue
		}
		f.racks[h.Name] = h.Rack
		f.hosts = append(f.hosts, h.Name)
	}
	f.names = slices.Clone(f.hosts)
	for _, i := range p.Injections {
		f.names = append(f.names, f.route(i))
	}
	slices.Sort(f.names)
	f.names = slices.Compact(f.names)
	return f
}

// route is the agent that carries an injection: the one inside the host, or the
// one beside its rack.
func (f *fleet) route(i plan.Injection) string {
	if i.OutOfBand {
		return oob(f.racks[i.Host])
	}
	return i.Host
}

// oob is the agent beside a rack.
func oob(rack string) string { return "oob-" + rack }

// behind names the hosts that cannot be acted on without an agent: the one it
// runs in, or those of the rack that it stands beside.
func (f *fleet) behind(agent string) []string {
	var out []string
	for host, rack := range f.racks {
		if host == agent || oob(rack) == agent {
			out = append(out, host)
		}
	}
	slices.Sort(out)
	return out
}

// leave forgets hosts, and the agents beside racks that no host is left of.
func (f *fleet) leave(hosts []string) {
	f.hosts = slices.DeleteFunc(f.hosts, func(h string) bool { return slices.Contains(hosts, h) })
	f.names = slices.DeleteFunc(f.names, func(agent string) bool {
		return !slices.ContainsFunc(f.behind(agent), func(h string) bool { return slices.Contains(f.hosts, h) })
	})
}

// await asks every agent for its status until all have answered, and returns
// the names of those that have not. An agent that refuses to obey will go on
// refusing: that ends the wait at once.
func (f *fleet) await(ctx context.Context, limit time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		missing := f.ask(ctx)
		if len(missing) == 0 {
			return nil, nil
		}
		for _, err := range missing {
			if errors.Is(err, control.ErrSignature) {
				return nil, refuse("%v: that host pins another command.pub than the one of this injector's key", err)
			}
		}
		if !sleep(ctx, 300*time.Millisecond) {
			return slices.Sorted(maps.Keys(missing)), nil
		}
	}
}

// ask asks those that have not answered yet and returns who still has not, and why.
func (f *fleet) ask(ctx context.Context) map[string]error {
	waiting := slices.DeleteFunc(slices.Clone(f.names), func(n string) bool { _, ok := f.of(n); return ok })
	missing := control.Each(waiting, func(agent string) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		var s control.StatusReply
		if err := f.agents.Call(ctx, agent, control.VerbStatus, nil, &s); err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.status[agent] = s
		return nil
	})
	maps.DeleteFunc(missing, func(_ string, err error) bool { return err == nil })
	return missing
}

func (f *fleet) of(agent string) (control.StatusReply, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.status[agent]
	return s, ok
}

// able refuses a plan whose agents can't do what it asks of them.
func (f *fleet) able(p *plan.Plan) error {
	for _, i := range p.Injections {
		s, _ := f.of(f.route(i))
		if why, missing := s.Missing[i.Kind]; missing && !i.Optional {
			return refuse("agent %s cannot do %s: %s", f.route(i), i.Kind, why)
		}
		if !slices.Contains(s.Kinds, i.Kind) {
			return refuse("agent %s does not have the fault %s", f.route(i), i.Kind)
		}
	}
	return nil
}

// doubts asks the agents after the run which of them died with live injections.
func (f *fleet) doubts(ctx context.Context) []string {
	f.mu.Lock()
	clear(f.status)
	f.mu.Unlock()
	_, _ = f.await(ctx, 5*time.Second)
	var out []string
	for _, name := range f.names {
		s, ok := f.of(name)
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("agent %s does not answer after the run", name))
		case s.TookOver:
			out = append(out, tookOver(name))
		}
	}
	return out
}

func tookOver(agent string) string {
	return fmt.Sprintf("agent %s died with live injections; its guardian took over", agent)
}
