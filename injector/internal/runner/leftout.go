package runner

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// leftOut is what a run goes on without: hosts whose agent did not answer, as
// many as the file allows, and optional faults that a host cannot do.
type leftOut struct {
	hosts  map[string]bool
	unable map[fault.InjectionID]string // and why
}

// out says whether an injection is left out; d.mu is held.
func (d *drive) out(i plan.Injection) bool {
	_, unable := d.left.unable[i.ID]
	return unable || d.left.hosts[i.Host]
}

// carried is the plan without what is left out.
func (d *drive) carried() *plan.Plan {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan.Without(d.out)
}

// present are the items that are not left out.
func (d *drive) present(items []plan.Injection) []plan.Injection {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(items), d.out)
}

// goWithout leaves hosts out for the rest of the run, if the file allows so many
// in all, and says whether it does.
func (d *drive) goWithout(hosts []string, why string) bool {
	d.mu.Lock()
	all := maps.Clone(d.left.hosts)
	if all == nil {
		all = map[string]bool{}
	}
	for _, h := range hosts {
		all[h] = true
	}
	allowed := len(all) <= d.missing
	var fresh []string
	if allowed {
		fresh = slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(hosts))), func(h string) bool { return d.left.hosts[h] })
		d.left.hosts = all
	}
	d.mu.Unlock()
	for _, h := range fresh {
		d.log(evidence.Event{Type: evidence.LeftOut, Host: h, Message: fmt.Sprintf("goes on without %s: %s", h, why)})
	}
	return allowed
}

// pardon takes out of a round what the run may go on without: optional faults
// that a host cannot do, and, while nothing has been changed yet, hosts whose
// agents did not answer in time.
func (d *drive) pardon(items []plan.Injection, first bool) {
	for _, i := range items {
		var unable string
		d.set(i.ID, func(r *injectionResult) {
			if r.unsupported && i.Optional {
				unable = strings.TrimPrefix(r.err, fault.ErrUnsupported.Error()+": ")
			}
		})
		if unable == "" {
			continue
		}
		d.mu.Lock()
		if d.left.unable == nil {
			d.left.unable = map[fault.InjectionID]string{}
		}
		d.left.unable[i.ID] = unable
		d.mu.Unlock()
		d.log(evidence.Event{Type: evidence.LeftOut, Host: i.Host, Stage: i.Stage, Injection: string(i.ID), Fault: string(i.Kind),
			Message: fmt.Sprintf("goes on without the optional %s on %s: %s", i.Kind, i.Host, unable)})
	}
	silent := d.keep(items, func(r *injectionResult) bool { return r.silent })
	if !first || len(silent) == 0 {
		return
	}
	agents, _ := d.byAgent(silent)
	var hosts []string
	for _, agent := range agents {
		hosts = append(hosts, d.behind(agent)...)
	}
	if d.goWithout(hosts, "its agent did not answer in time to be armed") {
		d.mu.Lock()
		d.late = append(d.late, agents...)
		d.mu.Unlock()
	}
}

// dismiss tells the agents that were too late to drop what they may have
// prepared. Whether they hear it changes nothing: it was never fired.
func (d *drive) dismiss(ctx context.Context) {
	if len(d.late) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dismissLimit)
	defer cancel()
	_ = d.haltAll(ctx, d.late)
}

const dismissLimit = 2 * time.Second

// missingHosts names the hosts that were left out, each with the faults that
// were meant for it.
func (d *drive) missingHosts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, host := range slices.Sorted(maps.Keys(d.left.hosts)) {
		var meant []string
		for _, i := range d.plan.Injections {
			if i.Host == host {
				meant = append(meant, fmt.Sprintf("%s of stage %s", i.Kind, i.Stage))
			}
		}
		if len(meant) > 0 {
			host += " (spared: " + strings.Join(slices.Compact(meant), ", ") + ")"
		}
		out = append(out, host)
	}
	return out
}

// notInjected names the optional faults that were left out, and why.
func (d *drive) notInjected() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []string
	for _, i := range d.plan.Injections {
		if why, unable := d.left.unable[i.ID]; unable {
			out = append(out, fmt.Sprintf("%s on %s: %s", i.Kind, i.Host, why))
		}
	}
	return slices.Compact(out)
}

func (d *drive) hostsLeftOut() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.left.hosts))
}

// excused says whether an agent is one that the run goes on without.
func (d *drive) excused(agent string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left.hosts[agent] || slices.Contains(d.late, agent)
}

// allDoubts are why nothing can be judged, but for what befell agents that the
// run goes on without: they carry nothing of it.
func (d *drive) allDoubts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	excused := map[string]bool{}
	for agent := range d.left.hosts {
		excused[tookOver(agent)] = true
	}
	for _, agent := range d.late {
		excused[tookOver(agent)] = true
	}
	return slices.DeleteFunc(slices.Clone(d.doubts), func(why string) bool { return excused[why] })
}
