package probe

import (
	"slices"
	"time"
)

// What counts as an outage. One failed request costs availability and is no
// outage: a row of Row failures in due order begins one, a row of Row successes
// ends it (so one lucky answer does not), and it must last MinOutage. A success
// that came only after all other URLs were tried is a success.
const (
	Row       = 3
	MinOutage = time.Second
)

// Outage is one stretch without service, from the sending of its first failed
// request to the first answer of the row that ended it. Instants are
// CLOCK_BOOTTIME in nanoseconds.
type Outage struct {
	From int64
	To   int64 // 0: still dark at the last sample
	// Before and After are late windows that touch the ends: it may have begun
	// that much earlier, or ended that much earlier.
	Before, After time.Duration
}

// Outages finds the outages of one probe. Late samples are left out, so that an
// outage is never made of the clients' own lateness.
func Outages(samples []Sample, late []Window) []Outage {
	sound := Sound(samples, late)
	var out []Outage
	for i := 0; i < len(sound); {
		begin := row(sound, i, false)
		if begin < 0 {
			break
		}
		o := Outage{From: sound[begin].Start, Before: edge(sound, late, begin)}
		end := row(sound, begin, true)
		if end < 0 {
			if sound[len(sound)-1].End()-o.From >= int64(MinOutage) {
				out = join(out, o)
			}
			break
		}
		o.To, o.After = recovery(sound, end), edge(sound, late, end)
		if o.To-o.From >= int64(MinOutage) {
			out = join(out, o)
		}
		i = end
	}
	return out
}

// join appends o, or lengthens the last outage when o began before it ended: a
// request that tries several URLs may outlast the outage and be answered, while
// one sent after it had its last try too early.
func join(out []Outage, o Outage) []Outage {
	if n := len(out); n > 0 && o.From < out[n-1].To {
		out[n-1].To, out[n-1].After = o.To, o.After
		return out
	}
	return append(out, o)
}

// Sound are the samples that are not late, in due order.
func Sound(samples []Sample, late []Window) []Sample {
	sound := make([]Sample, 0, len(samples))
	for _, s := range samples {
		if !s.Late(late) {
			sound = append(sound, s)
		}
	}
	slices.SortStableFunc(sound, func(a, b Sample) int { return compare(a.Due, b.Due) })
	return sound
}

// row finds the first index, from i on, that begins Row samples that all ended
// ok (or all did not). At the end of the samples a shorter row of successes does.
func row(s []Sample, i int, ok bool) int {
	for ; i < len(s); i++ {
		n := 0
		for n < Row && i+n < len(s) && s[i+n].OK == ok {
			n++
		}
		if n == Row || (n > 0 && ok && i+n == len(s)) {
			return i
		}
	}
	return -1
}

// recovery is the earliest answer of the row of successes that begins at i: a
// request sent later may be answered sooner.
func recovery(s []Sample, i int) int64 {
	at := s[i].End()
	for ; i < len(s) && s[i].OK; i++ {
		at = min(at, s[i].End())
	}
	return at
}

// edge is how much late time lies between sample i and the one before it.
func edge(s []Sample, late []Window, i int) time.Duration {
	if i == 0 {
		return 0
	}
	return Overlap(late, s[i-1].Due, s[i].Due)
}
