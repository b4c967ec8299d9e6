package judge

import (
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// loads reports what the people of each load did. Nothing is judged by them.
func (l *layout) loads() {
	for _, p := range l.in.Plan.Loads {
		l.out.Loads = append(l.out.Loads, l.load(p, l.in.Loads[p.Name]))
	}
}

// load adds up the seconds from T0 on.
func (l *layout) load(p plan.Load, seconds []crowd.Second) report.Load {
	out := report.Load{Name: p.Name, Users: p.Users, Curve: []report.LoadPoint{}}
	var latency []time.Duration
	for _, s := range seconds {
		at := l.wall(s.From)
		if at < 0 {
			continue // before the incident
		}
		out.Requests += s.Requests
		out.Answered += s.Answered
		out.Rival += s.RivalRequests
		out.RivalOK += s.RivalAnswered
		out.MostMoved = max(out.MostMoved, s.Moved)
		if s.Requests > out.PeakRate {
			out.PeakRate, out.PeakS = s.Requests, at.Seconds()
		}
		latency = append(latency, s.Latency...)
		out.Curve = append(out.Curve, report.LoadPoint{WallS: at.Seconds(), Requests: s.Requests, Answered: s.Answered, Moved: s.Moved})
	}
	out.P99MS = probe.Quantile(latency, 0.99).Seconds() * 1000
	for _, s := range p.Surges {
		out.Surges = append(out.Surges, report.Surge{FromWallS: s.Wall.Seconds(), ToWallS: (s.Wall + s.For).Seconds(), Times: s.Times, Source: s.Source})
	}
	return out
}
