package judge

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// outage is one outage with both of its parts, as measured and as they could be
// if the client's late windows beside it were not what they seem.
type outage struct {
	from, to time.Duration // wall; to is 0 when open
	open     bool
	gate     cluster
	figures
	low, high figures
	// by how much wall time it may have begun, or ended, earlier
	before, after time.Duration
}

// figures are the two parts of an outage, never added up: gated is incident
// time, own is wall time.
type figures struct {
	gated time.Duration
	own   time.Duration
}

// outages finds the outages of one probe that began at or after the first stage
// and splits each.
func (l *layout) outages(name string, samples []probe.Sample) []outage {
	var out []outage
	waitsFor := l.waitsFor(name)
	for _, o := range probe.Outages(samples, l.in.Late) {
		from := l.begin(o.From)
		if from < l.first && (o.To == 0 || l.wall(o.To) <= l.first) {
			continue
		}
		to, open := l.wall(o.To), o.To == 0
		if open {
			to = l.end
		}
		split := func(from, to time.Duration) (figures, cluster) {
			c, waited := gate(l.in.Gates, waitsFor, from, to)
			if !waited {
				return figures{own: max(to-from, 0)}, c
			}
			return figures{gated: l.incident(from, c.at), own: max(to-c.at, 0)}, c
		}
		cut := outage{from: from, open: open, before: o.Before, after: o.After}
		cut.figures, cut.gate = split(from, to)
		cut.low, _ = split(from, to-o.After)
		cut.high, _ = split(from-o.Before, to)
		if !open {
			cut.to = to
		}
		out = append(out, cut)
	}
	return out
}

// begin is when an outage began. A request on its way when a stage begins fails
// through that stage: without a failure before it, the outage begins with the stage.
func (l *layout) begin(boot int64) time.Duration {
	from := l.wall(boot)
	for _, s := range l.in.Plan.Stages {
		if s.Wall > from && s.Wall-from <= onItsWay {
			return s.Wall
		}
	}
	return from
}

// onItsWay is how long before a stage a request may be sent that the stage breaks:
// answers take milliseconds, and hardly any probe is sent more often than this.
const onItsWay = 50 * time.Millisecond

// incident is the incident time between two instants of wall time.
func (l *layout) incident(from, to time.Duration) time.Duration {
	return max(time.Duration(l.in.Plan.IncidentAt(to)-l.in.Plan.IncidentAt(from)), 0)
}

func (l *layout) wall(boot int64) time.Duration { return time.Duration(boot - l.in.T0) }

// waitsFor says which events can gate a probe: the power of the hosts that carry
// it, and the runbook steps that serve it.
func (l *layout) waitsFor(name string) func(Gate) bool {
	carriers := l.carriers(name)
	return func(g Gate) bool {
		if g.Kind == Power {
			return carriers[g.Name]
		}
		return l.stepServes(g.Name, name)
	}
}

// stepServes says whether a step was for a probe: a step that names none was for all.
func (l *layout) stepServes(step, probe string) bool {
	if l.in.Inventory == nil {
		return true
	}
	for _, s := range l.in.Inventory.Runbook {
		if s.Name == step && len(s.Serves) > 0 {
			return slices.Contains(s.Serves, probe)
		}
	}
	return true
}

// carriers are the hosts with a service that serves the probe: only their power
// gates it.
func (l *layout) carriers(name string) map[string]bool {
	hosts := map[string]bool{}
	if l.in.Inventory == nil {
		return hosts
	}
	for _, s := range l.in.Inventory.Services {
		for _, serves := range s.Serves {
			if serves != name {
				continue
			}
			for _, h := range l.in.Inventory.ServiceHosts(s.Name) {
				hosts[h.Name] = true
			}
		}
	}
	return hosts
}

// reported is the outage as it stands in report.json.
func (l *layout) reported(o outage) report.Outage {
	at := time.Duration(l.in.Plan.IncidentAt(o.from))
	r := report.Outage{
		FromIncidentS:  at.Seconds(),
		FromWallS:      o.from.Seconds(),
		From:           report.Instant(at),
		GatedIncidentS: o.gated.Seconds(),
		Gate:           string(o.gate.kind()),
		GateDetail:     o.gate.detail(),
		UnsureBeforeS:  o.before.Seconds(),
		UnsureAfterS:   o.after.Seconds(),
	}
	if !o.open {
		own, to := o.own.Seconds(), o.to.Seconds()
		r.OwnWallS, r.ToWallS = &own, &to
	}
	return r
}
