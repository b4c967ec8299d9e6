package guardian

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// stallAfter says after how much of the guardian's own time an agent without a
// beat counts as stalled, when the guardian looks every gap.
func stallAfter(gap time.Duration) (polls int) {
	w := &watch{seen: 1, polled: 0}
	now := fault.BootTime(0)
	for {
		now = now.Add(gap)
		polls++
		if w.stalled(now, 1) {
			return polls
		}
	}
}

func TestStalled(t *testing.T) {
	if polls := stallAfter(pollEvery); time.Duration(polls)*pollEvery != StallAfter {
		t.Errorf("stalled after %d looks", polls)
	}
	// A guardian that was itself suspended or starved must not blame the agent:
	// one late look counts as two at most.
	if polls := stallAfter(time.Hour); polls < int(StallAfter/(2*pollEvery)) {
		t.Errorf("stalled after %d late looks", polls)
	}
}

func TestBeatResets(t *testing.T) {
	w := &watch{seen: 1}
	now := fault.BootTime(0)
	for beat := range 100 {
		now = now.Add(2 * time.Second)
		if w.stalled(now, int64(beat+2)) {
			t.Fatal("stalled in spite of its beats")
		}
	}
}
