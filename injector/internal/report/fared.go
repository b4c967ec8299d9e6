package report

import (
	"fmt"
	"strings"
)

// fared is how the services of one layout fared.
type fared struct {
	measured    int
	held        []string // no outage
	alone       []string // dark, and back by themselves
	waited      []string // dark until power or people came
	dark        []string // dark to the end
	people      int      // of waited: for people
	first, last string   // of waited: the first and the last back
	firstS      float64  // how long they waited, incident
	lastS       float64
	firstAt     float64 // when they were back, wall
	lastAt      float64
	longestS    float64 // the longest wait, incident
	own         longest // of all that came back
	ownAlone    longest // of those that came back by themselves
}

// longest is the longest time that software took by itself.
type longest struct {
	name  string
	wallS float64
	doubt string
}

// add takes in all outages of a probe that ended, not only its worst: the one
// with the longest wait need not be the one that took software longest.
func (w *longest) add(p Probe) {
	for _, o := range p.Outages {
		if o.OwnWallS != nil && (w.name == "" || *o.OwnWallS > w.wallS) {
			*w = longest{p.Name, *o.OwnWallS, o.unsure()}
		}
	}
}

func (w longest) text() string {
	return fmt.Sprintf("%s of wall time, as measured on %s%s", Wall(seconds(w.wallS)), w.name, w.doubt)
}

// fare sums a layout's probes up, each by its worst outage.
func fare(l Layout) fared {
	var f fared
	for _, p := range l.Probes {
		if p.Samples == 0 && len(p.Outages) == 0 {
			continue
		}
		f.measured++
		f.own.add(p)
		o, n := p.worst()
		switch {
		case n == 0:
			f.held = append(f.held, p.Name)
		case o.OwnWallS == nil:
			f.dark = append(f.dark, p.Name)
		case !o.gated():
			f.alone = append(f.alone, p.Name)
			f.ownAlone.add(p)
		default:
			f.wait(p.Name, o)
		}
	}
	return f
}

// wait takes in a service that waited and came back.
func (f *fared) wait(name string, o Outage) {
	if o.Gate != "power" {
		f.people++
	}
	back := o.FromWallS + *o.OwnWallS
	if o.ToWallS != nil {
		back = *o.ToWallS
	}
	if len(f.waited) == 0 || back < f.firstAt {
		f.first, f.firstS, f.firstAt = name, o.GatedIncidentS, back
	}
	if len(f.waited) == 0 || back > f.lastAt {
		f.last, f.lastS, f.lastAt = name, o.GatedIncidentS, back
	}
	f.waited = append(f.waited, name)
	f.longestS = max(f.longestS, o.GatedIncidentS)
}

func (f fared) wentDark() int { return f.measured - len(f.held) }

// storyBuilt says how the first layout fared: the company as it is built.
func storyBuilt(run *Run) string {
	l := run.Layouts[0]
	f := fare(l)
	switch {
	case f.measured == 0:
		return fmt.Sprintf("In %s no service was measured.", l.Name)
	case f.wentDark() == 0:
		return fmt.Sprintf("In %s no service went dark: there was no outage of a second or more in %s.", l.Name, plural(f.measured, "service"))
	}
	text := fmt.Sprintf("In %s %s of %s went dark: ", l.Name, Count(f.wentDark()), plural(f.measured, "service"))
	var parts []string
	if len(f.waited) > 0 {
		parts = append(parts, f.waitedText())
	}
	if len(f.alone) > 0 {
		parts = append(parts, naming(f.alone)+" waited for nothing")
	}
	if len(f.dark) > 0 {
		parts = append(parts, naming(f.dark)+" stayed dark to the end")
	}
	if f.own.name != "" {
		then := ""
		if len(f.waited) > 0 {
			then = "then "
		}
		parts = append(parts, then+"software by itself took at most "+f.own.text())
	}
	return text + strings.Join(parts, "; ") + "."
}

// waitedText says for what was waited and how long.
func (f fared) waitedText() string {
	power, what := len(f.waited)-f.people, ""
	switch {
	case f.people == 0:
		what = "waited for power"
	case power == 0:
		what = "waited for people"
	default:
		what = fmt.Sprintf("waited for people and %s for power alone", Count(power))
	}
	if len(f.waited) == 1 {
		return fmt.Sprintf("%s %s, %s of the incident (replayed as it was then)", f.first, what, Long(seconds(f.firstS)))
	}
	if f.people > 0 {
		what = Count(f.people) + " " + what
	} else {
		what = Count(power) + " " + what
	}
	return fmt.Sprintf("%s; %s was back first, after %s, and %s last, after %s of the incident (replayed as it was then)",
		what, f.first, Long(seconds(f.firstS)), f.last, Long(seconds(f.lastS)))
}

// storyOthers says how the other layouts fared.
func storyOthers(run *Run) string {
	if len(run.Layouts) == 1 {
		return "No other layout was run beside it, so nothing is said here of what would have helped."
	}
	var parts []string
	for _, l := range run.Layouts[1:] {
		parts = append(parts, "in "+l.Name+" "+fare(l).otherText())
	}
	return capital(strings.Join(parts, "; ")) + "."
}

// otherText is a layout in short: what held by itself, and what still waited.
func (f fared) otherText() string {
	if f.measured == 0 {
		return "no service was measured"
	}
	by := fmt.Sprintf("%s of %s held or came back without waiting", Count(len(f.held)+len(f.alone)), plural(f.measured, "service"))
	switch {
	case len(f.waited)+len(f.dark) == 0:
		by = "none of " + plural(f.measured, "service") + " waited for power or people"
	case len(f.held)+len(f.alone) == 0:
		by = "none of " + plural(f.measured, "service") + " held"
	}
	switch n := len(f.alone); {
	case n > 0:
		by += fmt.Sprintf(" (%s dark for at most %s)", Count(n), f.ownAlone.text())
	case len(f.held) > 0:
		by += " (no outage of a second or more)"
	}
	var rest []string
	if len(f.waited) > 0 {
		rest = append(rest, fmt.Sprintf("%s still waited, up to %s of the incident (replayed)", list(f.waited), Long(seconds(f.longestS))))
	}
	if len(f.dark) > 0 {
		rest = append(rest, naming(f.dark)+" stayed dark to the end")
	}
	if len(rest) > 0 {
		by += ", while " + strings.Join(rest, " and ")
	}
	return by
}

// naming counts services and names them: 2 (mail and media).
func naming(names []string) string { return Count(len(names)) + " (" + list(names) + ")" }
