package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const notRun = "not run"

// bench reads benchmarks from in and returns the page.
func bench(in io.Reader, a *about) (string, error) {
	r, err := parse(in)
	if err != nil {
		return "", err
	}
	if len(r.figures) == 0 {
		return "", errors.New("read benchmarks: none on standard input; the page is left as it is")
	}
	a.CPU, a.LoadAfter = r.cpu, loadavg()
	return render(*a, sections, r), nil
}

// render returns the page, in Markdown.
func render(a about, sections []section, r results) string {
	var s strings.Builder
	s.WriteString("# Benchmarks\n\nWritten by `make bench`: every figure of ours stands beside what one would do by hand, measured in the same run. ")
	s.WriteString("The ratio is ours divided by by hand: below 1 is less than by hand.\n\n" + a.String())
	missed := []string{}
	for _, sec := range sections {
		fmt.Fprintf(&s, "\n## %s\n\n", sec.title)
		if sec.note != "" {
			s.WriteString(sec.note + "\n\n")
		}
		s.WriteString("| Figure | Firedrill | By hand | Ratio | Aim | Met |\n|---|---:|---:|---:|---|---|\n")
		rows := sec.rows
		if sec.find != nil {
			rows = sec.find(r)
		}
		for _, line := range rows {
			c := line.cells(r)
			if c.met == "**no**" {
				missed = append(missed, sec.title+": "+line.what+": "+c.ours+", aim "+line.aim)
			}
			fmt.Fprintf(&s, "| %s | %s | %s | %s | %s | %s |\n", line.what, c.ours, c.hand, c.ratio, line.aim, c.met)
		}
	}
	s.WriteString("\n## Aims that were missed\n\n")
	if len(missed) == 0 {
		s.WriteString("None.\n")
	}
	for _, m := range missed {
		s.WriteString("* " + m + "\n")
	}
	return s.String()
}

// cells are the measured cells of a line.
type cells struct{ ours, hand, ratio, met string }

func (l row) cells(r results) cells {
	ours, ok := r.value(l.ours)
	if !ok {
		return cells{ours: notRun}
	}
	c := cells{ours: show(ours, l.unit)}
	ratio := 0.0
	if l.handIs != "" {
		hand, ok := r.value(l.hand)
		if !ok || hand == 0 {
			c.hand = notRun
		} else {
			ratio = ours / hand
			c.hand, c.ratio = l.handIs+": "+show(hand, l.unit), showRatio(ratio)
		}
	}
	switch {
	case l.aim == "":
	case l.below != 0:
		c.met = yes(ours < l.below)
	case ratio != 0:
		c.met = yes(ratio < l.ratio)
	}
	return c
}

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "**no**"
}

// show gives three digits; more before the point.
func show(v float64, unit string) string {
	if unit == "ns" && v >= 1e6 {
		v, unit = v/1e6, "ms"
	}
	digits := 0
	for limit := 100.0; v < limit && digits < 3; limit /= 10 {
		digits++
	}
	if unit == "hosts" { // they come whole
		digits = 0
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', digits, 64) + " " + unit)
}

// showRatio gives two digits after the point, or two digits where these are 0.
func showRatio(v float64) string {
	if v < 0.1 {
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
