package probe

import (
	"slices"
	"time"
)

// Grain is the length of the windows in which lateness is judged.
const Grain = 250 * time.Millisecond

// LateWindow is the grain-aligned window between an instant when something was
// due and the instant when it was done.
func LateWindow(due, done int64) Window {
	g := int64(Grain)
	return Window{From: due - mod(due, g), To: done - mod(done, g) + g}
}

func mod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}

// Merge sorts windows and joins those that touch or overlap.
func Merge(windows []Window) []Window {
	sorted := slices.Clone(windows)
	slices.SortFunc(sorted, func(a, b Window) int {
		if a.From != b.From {
			return compare(a.From, b.From)
		}
		return compare(a.To, b.To)
	})
	var out []Window
	for _, w := range sorted {
		if n := len(out); n > 0 && w.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, w.To)
			continue
		}
		out = append(out, w)
	}
	return out
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Overlap is how much of [from, to) lies in the windows.
func Overlap(windows []Window, from, to int64) time.Duration {
	var sum int64
	for _, w := range windows {
		if lo, hi := max(w.From, from), min(w.To, to); hi > lo {
			sum += hi - lo
		}
	}
	return time.Duration(sum)
}
