package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// levels draw a share of good answers; none at all is a cross, so that it can't
// be taken for a gap.
var levels = []rune("▁▂▃▄▅▆▇█")

const (
	cross   = '×'
	unasked = ' '
)

// level is the sign for one bucket.
func level(b bucket) rune {
	switch {
	case b.all == 0:
		return unasked
	case b.ok == 0:
		return cross
	}
	return levels[(b.ok*len(levels)-1)/b.all]
}

// spark draws a curve in n columns over the frame's window.
func (f frame) spark(c *curve, n int) string {
	var out strings.Builder
	n = max(1, n)
	from, to := f.window()
	step := int64(to-from) / int64(n)
	for i := range int64(n) {
		b := c.between(f.base()+int64(from)+i*step, f.base()+int64(from)+(i+1)*step)
		sign := string(level(b))
		switch {
		case b.all == 0:
			out.WriteString(sign)
		case b.ok == 0:
			out.WriteString(f.fg(sign, red, true))
		case b.ok < b.all:
			out.WriteString(f.fg(sign, yellow, false))
		default:
			out.WriteString(f.fg(sign, green, false))
		}
	}
	return out.String()
}

// mood is the state of a probe now, in one word and the p99 of the good answers.
func (f frame) mood(c *curve) string {
	seen, p99 := c.now()
	switch {
	case seen.all == 0:
		return f.dim("no answer yet")
	case c.down():
		return f.fg("DOWN", red, true)
	case seen.ok < seen.all:
		share := fmt.Sprintf("%d%%", 100*seen.ok/seen.all)
		return f.fg(pad(share, 4), yellow, true) + " p99 " + millis(p99)
	}
	return f.fg("up  ", green, true) + " p99 " + millis(p99)
}

// moodWidth is the widest mood.
const moodWidth = 16

// millis writes a latency short: 3.2 ms, 240 ms, 1.4 s.
func millis(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return report.Wall(d)
}

// names are the probes in file order, and the width of their column.
func (f frame) names() (names []string, label int) {
	for _, h := range f.s.exp.Hypothesis {
		names = append(names, h.Probe)
		label = max(label, width(h.Probe))
	}
	return names, min(label, 14) + 1
}

// probes draws a probe a row, on the run's own axis.
func (f frame) probes() []string {
	names, label := f.names()
	var out []string
	for _, name := range names {
		c := f.s.probes[name]
		out = append(out, pad(name, label)+f.spark(c, f.columns-label-1-moodWidth)+" "+f.mood(c))
	}
	return out
}

// fewProbes draws two probes a row.
func (f frame) fewProbes() []string {
	names, label := f.names()
	half := (f.columns - 2) / 2
	var out []string
	for i, name := range names {
		c := f.s.probes[name]
		text := pad(pad(name, label)+f.spark(c, half-label-1-moodWidth)+" "+f.mood(c), half)
		if i%2 == 0 {
			out = append(out, text)
		} else {
			out[len(out)-1] += "  " + text
		}
	}
	return out
}
