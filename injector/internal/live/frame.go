package live

import (
	"strings"
	"time"
)

// frame is one picture: a state at an instant, in so many columns and rows.
type frame struct {
	look
	s             *state
	now           time.Time
	boot          int64 // now in ns of CLOCK_BOOTTIME
	columns, rows int
	minute        bool // curves show the last minute, not the whole run
	asking        bool // whether to halt
}

// What is drawn on a smaller terminal is cut at its edges.
const leastColumns, leastRows = 60, 16

// minuteSpan is what curves show before the incident, and on demand.
const minuteSpan = time.Minute

// draw returns exactly so many rows, none wider than the frame.
func (f frame) draw() string {
	if f.columns <= 0 || f.rows <= 0 {
		return "" // the terminal has not told its size yet
	}
	if f.columns < leastColumns || f.rows < leastRows {
		small := f
		small.columns, small.rows = max(f.columns, leastColumns), max(f.rows, leastRows)
		return f.fit(small.body(), f.keys())
	}
	return f.fit(f.body(), f.keys())
}

// body chooses the first of its variants that leaves room for events: full maps
// and curves, then ever closer ones.
func (f frame) body() []string {
	variants := []struct{ racks, probes []string }{
		{f.racks(), f.probes()},
		{f.racks(), f.fewProbes()},
		{f.fewRacks(), f.probes()},
		{f.fewRacks(), f.fewProbes()},
	}
	const leastEvents, fixed = 4, 8 // fixed: three rows of head, axis, two heads, a fault, the keys
	ledgers := append(f.ledgers(), f.loads()...)
	v := variants[len(variants)-1]
	for _, one := range variants {
		if len(one.racks)+len(one.probes)+len(ledgers)+fixed+leastEvents <= f.rows {
			v = one
			break
		}
	}
	_, label := f.names()
	out := []string{f.head(), f.clocks(), f.legend()}
	out = append(out, v.racks...)
	out = append(out, f.axis(label, f.columns-label-1-moodWidth))
	out = append(out, v.probes...)
	out = append(out, ledgers...)
	faults := f.faults(f.rows - len(out) - 3 - leastEvents) // two heads and the keys
	out = append(out, f.bold("FAULTS")+" asked and achieved"+none(faults))
	out = append(out, faults...)
	out = append(out, f.bold("EVENTS"))
	return append(out, f.events(f.rows-len(out)-1)...)
}

func none(rows []string) string {
	if len(rows) == 0 {
		return ": none yet"
	}
	return ""
}

// fit puts the foot on the last row.
func (f frame) fit(body []string, foot string) string {
	out := make([]string, 0, f.rows)
	for i := range max(0, f.rows-1) {
		text := ""
		if i < len(body) {
			text = cut(body[i], f.columns)
		}
		out = append(out, text)
	}
	return strings.Join(append(out, cut(foot, f.columns)), "\n")
}

// elapsed is the wall time since T0; negative before, 0 while T0 is not known.
func (f frame) elapsed() time.Duration {
	if f.s.t0.IsZero() {
		return 0
	}
	return f.now.Sub(f.s.t0)
}

// base is what the window counts from, in ns of CLOCK_BOOTTIME.
func (f frame) base() int64 {
	if f.s.t0.IsZero() {
		return f.boot
	}
	return f.s.boot
}

// last says that curves show the last minute.
func (f frame) last() bool { return f.minute || f.elapsed() <= 0 }

// window is what curves and axis span, from T0: the whole plan, and what comes
// after it as it passes, or the last minute.
func (f frame) window() (from, to time.Duration) {
	at := f.elapsed()
	if f.last() {
		return at - minuteSpan, at
	}
	return 0, max(f.s.plan.End, at, time.Second)
}
