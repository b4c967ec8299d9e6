package judge

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// describe copies what the report shows of the plan and the run as they are.
func (l *layout) describe() {
	p := l.in.Plan
	l.out = report.Layout{
		Name: p.Layout, Outcome: l.in.Outcome, HostState: report.Clean, PlanDigest: p.Digest(),
		Failed: []string{}, Expect: []report.Judged{}, Compare: []report.Compare{}, Probes: []report.Probe{}, Ledgers: []report.Ledger{},
		Faults: append([]report.Fault{}, l.in.Faults...), Runbook: append([]report.Step{}, l.in.Steps...),
		Pace: []report.Stretch{}, Stages: []report.Stage{}, Hosts: []report.Host{}, Steady: []report.Steady{},
		ResidueDiff: l.in.Residue, ForeignDiff: l.in.Foreign, Findings: l.in.Findings,
		FirstStageS: l.first.Seconds(), RevertedS: l.reverted.Seconds(), EndS: l.end.Seconds(),
	}
	if len(l.in.Residue) > 0 {
		l.out.HostState = report.Residue
	}
	for _, s := range p.Pace {
		l.out.Pace = append(l.out.Pace, report.Stretch{
			FromIncidentS: time.Duration(s.From).Seconds(), ToIncidentS: time.Duration(s.To).Seconds(),
			FromWallS: s.Start.Seconds(), ToWallS: s.End.Seconds(),
		})
	}
	for _, s := range p.Stages {
		l.out.Stages = append(l.out.Stages, report.Stage{
			Name: s.Name, IncidentS: time.Duration(s.At).Seconds(), WallS: s.Wall.Seconds(), Source: s.Source, Note: s.Note, Hosts: stageHosts(p, s.Name),
		})
	}
	for _, w := range l.in.Late {
		l.out.Late = append(l.out.Late, report.Span{l.wall(w.From).Seconds(), l.wall(w.To).Seconds()})
	}
	l.hosts()
}

// stageHosts are the hosts a stage's faults hit.
func stageHosts(p *plan.Plan, stage string) []string {
	hosts := []string{}
	for _, i := range p.Injections {
		if i.Stage == stage && !slices.Contains(hosts, i.Host) {
			hosts = append(hosts, i.Host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// hosts lists the hosts and when they had no power.
func (l *layout) hosts() {
	if l.in.Inventory == nil {
		return
	}
	for _, h := range l.in.Inventory.Hosts {
		host := report.Host{Name: h.Name, Site: h.Site, Rack: h.Rack, Roles: h.Roles}
		for _, f := range l.in.Faults {
			if f.Kind == "powerloss" && f.Host == h.Name && f.ToWallS > f.FromWallS {
				host.Dark = append(host.Dark, [2]float64{f.FromWallS, f.ToWallS})
			}
		}
		l.out.Hosts = append(l.out.Hosts, host)
	}
}

// compare puts the worst outage of a probe beside what happened: the one that
// never ended, else the one with the longest wait, else the longest own part.
func (l *layout) compare(c experiments.Comparison) report.Compare {
	r := report.Compare{Probe: c.Probe, Name: c.Name, HappenedS: time.Duration(c.HappenedIncident).Seconds(), Source: c.Source}
	if r.Name == "" {
		r.Name = c.Probe
	}
	var worst outage
	for _, o := range l.cuts[c.Probe] {
		if worse(o, worst) {
			worst = o
		}
	}
	r.GatedIncidentS = worst.gated.Seconds()
	if !worst.open {
		own := worst.own.Seconds()
		r.OwnWallS = &own
	}
	return r
}

func worse(a, b outage) bool {
	if a.open != b.open {
		return a.open
	}
	if a.gated != b.gated {
		return a.gated > b.gated
	}
	return a.own > b.own
}
