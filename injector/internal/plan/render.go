package plan

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// width is how many columns the timeline takes; indent is where its text begins.
const (
	width  = 100
	indent = 20
)

// glue is a space at which wrap does not break.
const glue = "\u00a0"

// entry is one moment of the timeline.
type entry struct {
	at    experiments.Instant
	wall  time.Duration
	title string
	lines []string
}

// Render writes the timeline for a person: incident time, wall time, what
// happens, whom it hits, what it destroys. It is 100 columns wide.
func Render(w io.Writer, p *Plan) error {
	var b strings.Builder
	name := p.Experiment
	if p.Layout != "" {
		name += ", layout " + p.Layout
	}
	fmt.Fprintf(&b, "%s, seed %d\n", name, p.Seed)
	fmt.Fprintf(&b, "plan %s\n", p.Digest())
	for _, l := range p.Loads {
		fmt.Fprintf(&b, "%s\n", l)
	}
	fmt.Fprintln(&b)
	fmt.Fprintf(&b, "%-*swall\n", indent/2, "incident")
	for _, e := range p.entries() {
		fmt.Fprintf(&b, "%-*s%-*s%s\n", indent/2, e.at, indent/2, wall(e.wall), e.title)
		for _, line := range e.lines {
			for _, part := range wrap(line, width-indent-2) {
				fmt.Fprintf(&b, "%s%s\n", strings.Repeat(" ", indent+2), part)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// entries are the moments in order; at one instant what ends comes first.
func (p *Plan) entries() []entry {
	out := p.endings()
	for _, s := range p.Runbook {
		e := entry{at: s.At, wall: s.Wall, title: "RUNBOOK " + s.Name}
		e.lines = appendText(e.lines, s.Source)
		out = append(out, e)
	}
	out = append(out, p.surgeEntries()...)
	for _, s := range p.Stages {
		out = append(out, p.stageEntry(s))
	}
	out = append(out, entry{at: p.last(), wall: p.End, title: "END"})
	slices.SortStableFunc(out, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	return out
}

func (p *Plan) stageEntry(s Stage) entry {
	e := entry{at: s.At, wall: s.Wall, title: "STAGE " + s.Name}
	e.lines = appendText(appendText(e.lines, s.Note), s.Source)
	if len(s.Injections) == 0 {
		return e
	}
	type group struct {
		kind  string
		until experiments.Instant
	}
	var order []group
	hosts := map[group][]string{}
	for _, i := range p.Injections {
		if i.Stage != s.Name {
			continue
		}
		g := group{string(i.Kind), i.Until}
		if mode := fault.ModeOf(i.Params); mode != "" {
			g.kind += " (" + mode + ")"
		}
		if i.Optional {
			g.kind += " where it can be done"
		}
		if i.From > s.At {
			g.kind += " from " + i.From.String()
		}
		if hosts[g] == nil {
			order = append(order, g)
		}
		hosts[g] = append(hosts[g], i.Host)
	}
	for _, g := range order {
		e.lines = append(e.lines, fmt.Sprintf("%s on %s until %s", g.kind, strings.Join(hosts[g], " "), g.until))
	}
	var domains []string
	for _, d := range s.Blast {
		domains = append(domains, fmt.Sprintf("%s%s%d/%d", strings.Replace(d.Domain, ":", glue, 1), glue, d.Hit, d.Of))
	}
	e.lines = append(e.lines, "hits "+strings.Join(domains, ", "))
	for _, d := range s.Destroys {
		e.lines = append(e.lines, "destroys "+d)
	}
	if len(s.CutsControl) > 0 {
		e.lines = append(e.lines, fmt.Sprintf("cuts its own control path on %s; unattended for %s", strings.Join(s.CutsControl, " "), s.Unattended))
	}
	return e
}

// endings are the moments at which injections end, one an instant, kind and reason.
func (p *Plan) endings() []entry {
	type group struct {
		until  experiments.Instant
		title  string
		reason string
	}
	var order []group
	hosts := map[group][]string{}
	walls := map[group]time.Duration{}
	for _, i := range p.Injections {
		title := "ends " + string(i.Kind)
		if i.Kind == powerloss {
			title = "POWER BACK"
		}
		g := group{i.Until, title, i.Restore}
		if hosts[g] == nil {
			order = append(order, g)
		}
		hosts[g] = append(hosts[g], i.Host)
		walls[g] = i.End
	}
	out := make([]entry, 0, len(order))
	for _, g := range order {
		e := entry{at: g.until, wall: walls[g], title: g.title, lines: []string{strings.Join(hosts[g], " ")}}
		if g.reason != "" {
			e.lines[0] += " (" + g.reason + ")"
		}
		out = append(out, e)
	}
	return out
}

func appendText(lines []string, text string) []string {
	if text == "" {
		return lines
	}
	return append(lines, strings.Join(strings.Fields(text), " "))
}

// wall is a wall time from T0, to a tenth of a second.
func wall(d time.Duration) string { return "+" + d.Round(100*time.Millisecond).String() }

// wrap breaks text at spaces into lines of at most n characters; a word that is
// longer stays whole.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	lines = append(lines, line)
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], glue, " ")
	}
	return lines
}
