package plan

import (
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
)

// loads gives the surges of every load their wall times.
func (b *builder) loads() {
	for _, l := range b.exp.Load {
		load := Load{Name: l.Load, Users: l.Users, Every: time.Duration(l.Every)}
		if l.Rival != nil {
			load.After = time.Duration(l.Rival.After)
		}
		for _, s := range l.Surges {
			load.Surges = append(load.Surges, Surge{At: s.At, Wall: b.WallAt(s.At), For: time.Duration(s.For),
				Times: s.Times, Extra: s.Extra(l.Users), Source: s.Source})
		}
		b.Loads = append(b.Loads, load)
	}
}

// lastSurge is when the last surge ends on a clock without a pace.
func lastSurge(exp *experiments.Experiment) (last experiments.Instant) {
	for _, l := range exp.Load {
		for _, s := range l.Surges {
			last = max(last, s.At+experiments.Instant(s.For))
		}
	}
	return last
}

// String is the load in one line.
func (l Load) String() string {
	text := fmt.Sprintf("load %s: %d people, a request each %s", l.Name, l.Users, l.Every)
	if l.After > 0 {
		text += fmt.Sprintf("; to the rival after %s without service", l.After)
	}
	return text
}

// surgeEntries are the surges' begins.
func (p *Plan) surgeEntries() (out []entry) {
	for _, l := range p.Loads {
		for _, s := range l.Surges {
			e := entry{at: s.At, wall: s.Wall, title: "SURGE " + l.Name}
			e.lines = append(e.lines, fmt.Sprintf("%g times as many people, %d more, for %s of wall time", s.Times, s.Extra, s.For))
			e.lines = appendText(e.lines, s.Source)
			out = append(out, e)
		}
	}
	return out
}
