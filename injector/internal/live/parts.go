package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// head is what runs, and its verdict so far.
func (f frame) head() string {
	return between(f.bold(f.title())+"  "+clean(f.s.exp.Title), f.verdict(), f.columns)
}

// title is the experiment and its layout by name.
func (f frame) title() string {
	if f.s.name == "" {
		return clean(f.s.exp.Name)
	}
	return clean(f.s.exp.Name) + ", layout " + clean(f.s.name)
}

// verdict is what the layout would be judged if it ended now; at its end what it
// was judged.
func (f frame) verdict() string {
	j := f.s.judged
	switch {
	case f.s.halted && !f.s.ended:
		return f.fg("HALTING: reverting all", red, true)
	case j == nil || j.Verdict == "":
		return f.dim("no verdict yet")
	}
	text := string(j.Verdict)
	if j.Verdict == report.Deviated {
		text += ": " + strings.Join(j.Failed, ", ")
	}
	if j.Verdict == report.Inconclusive && len(j.Reasons) > 0 {
		text += ": " + clean(j.Reasons[0])
	}
	if !f.s.ended {
		text = "so far " + text
	}
	text = cut(text, f.columns-width(f.title())-2)
	switch j.Verdict {
	case report.Held:
		return f.fg(text, green, true)
	case report.Deviated:
		return f.fg(text, red, true)
	}
	return f.fg(text, yellow, true)
}

// clocks are the incident's clock, with its date where the file gives one, and
// the wall clock.
func (f frame) clocks() string {
	if f.s.t0.IsZero() {
		return f.dim("the incident has not begun: waiting until everything is up and steady")
	}
	wall := f.now.Sub(f.s.t0)
	if wall < 0 {
		return f.bold(fmt.Sprintf("begins in %.0f s", -wall.Seconds()))
	}
	at := time.Duration(f.s.plan.IncidentAt(wall))
	text := f.bold(instant(at))
	if start := f.s.exp.Clock.Start; !start.IsZero() {
		text += " " + start.Add(at).Format("2 Jan 2006 15:04")
	}
	shown := min(wall, f.s.plan.End)
	right := fmt.Sprintf("wall clock %s of %s", short(shown), short(f.s.plan.End))
	if wall > f.s.plan.End {
		right = fmt.Sprintf("wall clock %s: looking at what is left", short(wall))
	}
	if f.s.stage != "" {
		text += "  last stage: " + f.bold(f.s.stage)
	}
	return between(text, right, f.columns)
}

// instant writes a moment of the incident as exactly as the pace lets one tell:
// seconds in the first ten minutes, minutes afterwards.
func instant(at time.Duration) string {
	if at < 10*time.Minute {
		return report.Instant(at.Truncate(time.Second))
	}
	return report.Instant(at.Truncate(time.Minute))
}

// short writes wall time as minutes and seconds: 1:42.
func short(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// axis is the run's time as a bar: what has passed, where stages begin (▼),
// faults end (△) and people step in (◆), as the plan has it.
func (f frame) axis(label, n int) string {
	n = max(1, n)
	marks := map[int]rune{}
	from, to := f.window()
	put := func(at time.Duration, r rune) {
		if col := int(int64(at-from) * int64(n) / int64(max(1, to-from))); at >= from && col < n {
			marks[col] = r
		}
	}
	for _, i := range f.s.plan.Injections {
		put(i.End, '△')
	}
	for _, s := range f.s.plan.Runbook {
		put(s.Wall, '◆')
	}
	for _, s := range f.s.plan.Stages {
		put(s.Wall, '▼')
	}
	if f.elapsed() <= 0 {
		return pad(f.scale(), label) + f.dim(strings.Repeat("·", n))
	}
	now := int(int64(f.elapsed()-from) * int64(n) / int64(max(1, to-from)))
	var out strings.Builder
	for i := range n {
		r, marked := marks[i]
		switch {
		case marked:
		case i < now:
			r = '━'
		default:
			r = '·'
		}
		if i < now || marked {
			out.WriteString(f.fg(string(r), cyan, marked))
		} else {
			out.WriteString(f.dim(string(r)))
		}
	}
	return pad(f.scale(), label) + out.String() + " " + f.dim("▼on △off ◆people")
}

// scale says what the axis spans.
func (f frame) scale() string {
	if f.last() {
		return "1 min"
	}
	return "run"
}

// ledgers are the running counts, joined in as few rows as they need.
func (f frame) ledgers() []string {
	var out []string
	for _, l := range f.s.exp.Ledger {
		n := f.s.ledgers[l.Name]
		text := fmt.Sprintf("ledger %s: %s acknowledged, %s refused, %s unknown", l.Name,
			report.Count(n[ledger.Acknowledged]), report.Count(n[ledger.Refused]), report.Count(n[ledger.Unknown]))
		if last := len(out) - 1; last >= 0 && width(out[last])+3+width(text) <= f.columns {
			out[last] += "   " + text
		} else {
			out = append(out, text)
		}
	}
	return out
}

// loads are what the people of each load did in the last second, one row each.
func (f frame) loads() []string {
	var out []string
	for _, l := range f.s.exp.Load {
		s := f.s.loads[l.Load]
		text := fmt.Sprintf("load %s: %s people, %s requests/s, %s answered", l.Load, report.Count(s.People), report.Count(s.Requests), report.Count(s.Answered))
		if l.Rival != nil {
			text += fmt.Sprintf(", %s at the rival", report.Count(s.Moved))
		}
		out = append(out, text)
	}
	return out
}

// events are the last n lines.
func (f frame) events(n int) []string {
	var out []string
	for _, l := range f.s.lines[max(0, len(f.s.lines)-max(0, n)):] {
		wall := ""
		if l.begun {
			wall = fmt.Sprintf("%.1fs", l.wall.Seconds())
		}
		text := cut(l.text, f.columns-17)
		if l.grave {
			text = f.fg(text, red, false)
		}
		if l.warning {
			text = f.fg(text, yellow, false)
		}
		out = append(out, f.dim(fmt.Sprintf("%8s %7s", l.incident, wall))+" "+text)
	}
	return out
}

// keys says what the keys do, or asks.
func (f frame) keys() string {
	switch {
	case f.asking:
		return f.fg("Halt the run and revert every fault now? h or y: yes, any other key: no", red, true)
	case f.s.ended:
		return f.dim("this layout is over")
	case f.s.halted:
		return f.dim("reverting every fault; the summary comes when all hosts have been looked at")
	}
	span := "m last minute"
	if f.minute {
		span = "m whole run"
	}
	return f.dim("h halt and revert all   " + span + "   ctrl-c interrupt")
}
