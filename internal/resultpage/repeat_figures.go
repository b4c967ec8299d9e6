package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// spread is one figure over several runs; NaN stands for a run that has none.
type spread []float64

// cell shows least, median and greatest, or one of them if they are the same.
func (s spread) cell(show func(float64) string) string {
	var have []float64
	for _, v := range s {
		if !math.IsNaN(v) {
			have = append(have, v)
		}
	}
	slices.Sort(have)
	n := len(have)
	if n == 0 {
		return "–"
	}
	middle := (have[(n-1)/2] + have[n/2]) / 2
	parts := slices.Compact([]string{show(have[0]), show(middle), show(have[n-1])})
	cell := strings.Join(parts, " / ")
	if len(parts) == 2 { // which of the two the median is must stay clear
		cell = strings.Join([]string{show(have[0]), show(middle), show(have[n-1])}, " / ")
	}
	if n < len(s) {
		cell += fmt.Sprintf(" (in %d of %d)", n, len(s))
	}
	return cell
}

// over takes one figure of each of the runs.
func over(all []drill, figure func(*drill) float64) (s spread) {
	for i := range all {
		s = append(s, figure(&all[i]))
	}
	return s
}

var none = math.NaN()

// orNone: a latency of 0 is that of nothing.
func orNone(v float64) float64 {
	if v == 0 {
		return none
	}
	return v
}

// incident shows an instant of the incident given in seconds.
func incident(s float64) string {
	at := time.Duration(math.Round(s)) * time.Second
	if rest := at % time.Minute; rest != 0 {
		return fmt.Sprintf("T+%dm%ds", at/time.Minute, rest/time.Second)
	}
	return fmt.Sprintf("T+%dm", at/time.Minute)
}

// hours shows a length of incident time given in seconds.
func hours(s float64) string {
	at := time.Duration(math.Round(s/60)) * time.Minute
	if at == 0 {
		return "0"
	}
	return fmt.Sprintf("%d h %02d min", at/time.Hour, at%time.Hour/time.Minute)
}

func seconds(s float64) string      { return strconv.FormatFloat(s, 'f', 2, 64) + " s" }
func milliseconds(s float64) string { return strconv.FormatFloat(s, 'f', 0, 64) + " ms" }
func percent(v float64) string      { return strconv.FormatFloat(100*v, 'f', 2, 64) + " %" }

// whole shows a count with commas between thousands.
func whole(v float64) string {
	s := strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// since is a length in seconds; none if one of the ends is unknown.
func since(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() {
		return none
	}
	return to.Sub(from).Seconds()
}
