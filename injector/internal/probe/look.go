package probe

import "time"

// enough is the share of the requests due in a window that must have an answer
// before the window can be judged.
const enough = 0.8

// Look is what became of the requests that were due in one window.
type Look struct {
	Due      float64         // requests
	Answered int             // or failed, in time to tell
	Late     int             // sent late by the client itself: worth nothing
	latency  []time.Duration // of the successful ones
}

// LookBack looks at the window of length over before now. samples may be in any
// order and may belong to one probe only; late is as Merge returns it.
func LookBack(samples []Sample, late []Window, every, over time.Duration, now int64) Look {
	l := Look{Due: float64(over) / float64(every)}
	for _, s := range samples {
		switch {
		case s.Due < now-int64(over) || s.Due >= now:
		case s.Late(late):
			l.Late++
		default:
			l.Answered++
			if s.OK {
				l.latency = append(l.latency, s.Latency)
			}
		}
	}
	return l
}

// Known says whether enough is known of the window to judge it.
func (l Look) Known() bool { return l.Answered > 0 && float64(l.Answered) >= enough*l.Due }

// Availability is the share of successes, 0 to 1.
func (l Look) Availability() float64 { return float64(len(l.latency)) / float64(max(l.Answered, 1)) }

// P99 is the latency that 99 of 100 successes did not exceed; 0 without any.
func (l Look) P99() time.Duration { return Quantile(l.latency, 0.99) }

// Dark is for how long a probe had been dark when the last of its requests that
// were due before now ended; 0 if it was not. Late time is not counted. samples
// are about in the order they ended, of one probe only.
func Dark(samples []Sample, late []Window, now int64) time.Duration {
	last := tail(samples, late, now)
	outages := Outages(last, late)
	if len(outages) == 0 || outages[len(outages)-1].To != 0 {
		return 0
	}
	from, to := outages[len(outages)-1].From, int64(0)
	for _, s := range last {
		if !s.Late(late) {
			to = max(to, s.End())
		}
	}
	return time.Duration(to-from) - Overlap(late, from, to)
}

// tail is the samples due before now, back to a row of successes that is long
// enough to lie before whatever is going on, so that a run of hours is not gone
// through at each look.
func tail(samples []Sample, late []Window, now int64) []Sample {
	var out []Sample
	row := 0
	for i := len(samples) - 1; i >= 0 && row < 10*Row; i-- {
		s := samples[i]
		if s.Due >= now {
			continue
		}
		out = append(out, s)
		switch {
		case s.Late(late):
		case s.OK:
			row++
		default:
			row = 0
		}
	}
	return out
}
