package clients

import (
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Change is a probe going dark or coming back, for the live lines. The report's
// outages are worked out afterwards from all samples.
type Change struct {
	Probe string
	Dark  bool
	At    int64         // CLOCK_BOOTTIME ns: first failure, or first success after it
	For   time.Duration // how long it was dark, when it comes back
	Class probe.Class   // of the failures
}

// watch follows one probe as its samples come in.
type watch struct {
	dark  bool
	since int64 // first failure of the present row
	fails int
	back  int64 // end of the last success after a dark time: what began earlier is old news
}

// see takes one sample and says what changed, if anything.
func (w *watch) see(s probe.Sample, late []probe.Window) *Change {
	if s.Late(late) {
		return nil
	}
	if !s.OK {
		if s.Start < w.back {
			return nil
		}
		if w.fails++; w.fails == 1 || s.Start < w.since {
			w.since = s.Start
		}
		long := s.End()-w.since >= int64(probe.MinOutage)
		if !w.dark && w.fails >= probe.Row && long {
			w.dark = true
			return &Change{Probe: s.Probe, Dark: true, At: w.since, Class: s.Class}
		}
		return nil
	}
	if w.fails > 0 && s.Start < w.since {
		return nil // an old success that came in late
	}
	was := *w
	*w = watch{back: w.back}
	if was.dark {
		w.back = s.End()
		return &Change{Probe: s.Probe, At: s.End(), For: time.Duration(s.End() - was.since)}
	}
	return nil
}
