package judge

import (
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// expect judges one expectation, one line for each of its limits.
func (l *layout) expect(e experiments.Expectation) {
	var lines []report.Judged
	switch {
	case e.Ledger != "":
		lines = l.expectLedger(e)
	case len(l.byProbe[e.Probe]) == 0:
		lines = []report.Judged{{Name: e.Probe, Doubt: "the clients sent no sample of it"}}
	default:
		lines = l.expectProbe(e)
	}
	for _, j := range lines {
		j.Reason = e.Reason
		l.out.Expect = append(l.out.Expect, j)
		if !j.OK && j.Doubt == "" {
			l.fail(j.Name)
		}
	}
}

func (l *layout) expectProbe(e experiments.Expectation) []report.Judged {
	var lines []report.Judged
	if e.Own != nil {
		lines = append(lines, l.worst(e.Probe, "own", limit{
			max: time.Duration(e.Own.Max), text: report.Wall, unit: "",
			of: func(f figures) time.Duration { return f.own },
		}))
	}
	if e.Gated != nil {
		lines = append(lines, l.worst(e.Probe, "gated", limit{
			max: time.Duration(e.Gated.MaxIncident), text: report.Long, unit: " of the incident",
			of: func(f figures) time.Duration { return f.gated },
		}))
	}
	if e.Availability != nil {
		lines = append(lines, l.available(e.Probe, float64(*e.Availability)))
	}
	return lines
}

// limit is an upper limit on one part of every outage.
type limit struct {
	max  time.Duration
	of   func(figures) time.Duration
	text func(time.Duration) string
	unit string
}

// worst holds the limit against every outage of the probe. An outage that is
// open at the end fails it. Where late windows beside an outage decide, the line
// is in doubt.
func (l *layout) worst(probe, field string, lim limit) report.Judged {
	j := report.Judged{Name: probe + "." + field, Limit: "at most " + lim.text(lim.max) + lim.unit, Got: "no outage", OK: true}
	var worst time.Duration
	failed, doubt := false, false
	for _, o := range l.cuts[probe] {
		value := lim.of(o.figures)
		if worst = max(worst, value); j.Got != open {
			j.Got = lim.text(worst) + lim.unit
		}
		switch {
		case o.open:
			j.Got, failed = open, true
		case value > lim.max && lim.of(o.low) > lim.max:
			failed = true
		case value > lim.max || lim.of(o.high) > lim.max:
			doubt = true
		}
	}
	j.OK = !failed && !doubt
	if doubt && !failed {
		j.Doubt = "the clients were late beside the outage, and that decides"
	}
	return j
}

// open stands in the place of a figure that has no end.
const open = "never came back"

// available judges the share of good answers between first stage and last revert.
func (l *layout) available(probe string, least float64) report.Judged {
	c := l.count(probe)
	j := report.Judged{Name: probe + ".availability", Limit: fmt.Sprintf("at least %s", report.Percent(least))}
	if c.sound == 0 {
		j.Doubt = "no sample between the first stage and the last revert that was sent in time"
		return j
	}
	j.Got = report.Percent(c.availability())
	j.OK = c.availability() >= least
	if all := float64(c.sound + c.late); float64(c.late) > tooLate*all {
		best, least1 := (float64(c.ok+c.late))/all, float64(c.ok)/all
		if j.OK != (best >= least) || j.OK != (least1 >= least) {
			j.OK, j.Doubt = false, fmt.Sprintf("%d of %.0f samples were late, and they decide", c.late, all)
		}
	}
	return j
}
