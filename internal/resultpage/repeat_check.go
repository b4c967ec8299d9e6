package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The layouts of the data-centre fire of which more is known than their verdict.
const (
	asItWas   = "as-it-was"
	stretched = "stretched"
)

// returns is the order in which services come back in as-it-was: each group
// lies 10 s of wall time or more behind the one before it, by its runbook steps.
var returns = [][]string{{"text"}, {"taxi", "login", "pay"}, {"media"}, {"mail"}, {"channel"}}

// ungated are the services that wait for nothing in stretched.
var ungated = []string{"text", "login", "pay", "taxi"}

// disagreements says what is not as it should be in runs that should all end
// alike; nothing: all did.
func disagreements(all []drill) (wrong []string) {
	for i := range all {
		d := &all[i]
		say := func(format string, args ...any) {
			wrong = append(wrong, "run "+d.ID+": "+fmt.Sprintf(format, args...))
		}
		if i > 0 && d.ID == all[i-1].ID {
			say("it is given twice")
		}
		d.sound(say)
		d.sameAs(&all[0], say)
		if l := d.layout(asItWas); l != nil {
			l.gatedOnly(say)
			l.order(say)
		}
		if l := d.layout(stretched); l != nil {
			l.ungated(say)
		}
	}
	return wrong
}

type complain func(format string, args ...any)

// sound looks at what is right of any run.
func (d *drill) sound(say complain) {
	if d.Outcome != "completed" {
		say("it was %s, not completed", d.Outcome)
	}
	if d.HostState != "clean" {
		say("the hosts are not as they were found: %s", d.HostState)
	}
	if !d.AsPredicted {
		say("it did not come out as predicted")
	}
}

// sameAs compares verdicts and failed lines with those of the first run.
func (d *drill) sameAs(first *drill, say complain) {
	names := func(d *drill) (s []string) {
		for _, l := range d.Layouts {
			s = append(s, l.Name)
		}
		return s
	}
	if got, want := names(d), names(first); !slices.Equal(got, want) {
		say("it has the layouts %s, the first run has %s", strings.Join(got, ", "), strings.Join(want, ", "))
		return
	}
	for i, l := range d.Layouts {
		if got, want := l.ending(), first.Layouts[i].ending(); got != want {
			say("%s: %s; in the first run: %s", l.Name, got, want)
		}
	}
}

// ending is a layout's verdict with its failed lines, in the order of the alphabet.
func (l *layout) ending() string {
	if len(l.Failed) == 0 {
		return l.Verdict
	}
	return l.Verdict + " (" + strings.Join(slices.Sorted(slices.Values(l.Failed)), ", ") + ")"
}

// gatedOnly: nothing comes back by itself.
func (l *layout) gatedOnly(say complain) {
	for _, p := range l.Probes {
		for _, o := range p.Outages {
			if o.Gate != "power" && o.Gate != "runbook" {
				say("%s: an outage of %s waited for %s, not for power or a runbook step", l.Name, p.Name, o.Gate)
			}
		}
	}
}

// ungated: nothing waits for power or people.
func (l *layout) ungated(say complain) {
	for _, name := range ungated {
		for _, o := range l.probe(name).Outages {
			if o.Gate != "none" {
				say("%s: an outage of %s waited for %s, it should wait for nothing", l.Name, name, o.Gate)
			}
		}
	}
}

// order: the services come back, group by group.
func (l *layout) order(say complain) {
	for _, name := range slices.Concat(returns...) {
		switch o, was := l.probe(name).longest(); {
		case !was:
			say("%s: %s had no outage", l.Name, name)
		case o.ToWallS == nil:
			say("%s: %s never came back", l.Name, name)
		}
	}
	for i := range returns[1:] {
		if g := l.gap(i); g.seconds <= 0 {
			say("%s: %s came back before %s, by %.1f s", l.Name, g.after, g.before, -g.seconds)
		}
	}
}

// gap is how much wall time lies between the returns of two services.
type gap struct {
	before, after string
	seconds       float64
}

// gap is the time from the last return of a group of returns to the first of the
// next; its seconds are NaN where none of a group came back.
func (l *layout) gap(group int) gap {
	before, last := l.back(returns[group], func(a, b float64) bool { return a > b })
	after, first := l.back(returns[group+1], func(a, b float64) bool { return a < b })
	return gap{before, after, first - last}
}

// back is the service of a group whose return is beyond that of the others, and when it was.
func (l *layout) back(group []string, beyond func(a, b float64) bool) (service string, at float64) {
	at = math.NaN()
	for _, name := range group {
		if o, was := l.probe(name).longest(); was && o.ToWallS != nil && (math.IsNaN(at) || beyond(*o.ToWallS, at)) {
			service, at = name, *o.ToWallS
		}
	}
	return service, at
}

// late is for how long the clients were late, in seconds.
func (l *layout) late() (sum float64) {
	for _, span := range l.Late {
		sum += span[1] - span[0]
	}
	return sum
}

// probe is the one of a name; an empty one if there is none.
func (l *layout) probe(name string) probe {
	for _, p := range l.Probes {
		if p.Name == name {
			return p
		}
	}
	return probe{Name: name}
}
