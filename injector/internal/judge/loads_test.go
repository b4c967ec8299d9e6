package judge

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// A load is added up from T0 on: what was before is left out.
func TestLoadInReport(t *testing.T) {
	const t0 = int64(100e9)
	l := &layout{in: Input{T0: t0}}
	got := l.load(plan.Load{Name: "users", Users: 30, Surges: []plan.Surge{{Wall: time.Second, For: 2 * time.Second, Times: 3, Source: "a bell"}}}, []crowd.Second{
		{From: t0 - 1e9, Requests: 500, Answered: 500, Latency: []time.Duration{time.Minute}},
		{From: t0, Requests: 10, Answered: 10, Latency: []time.Duration{5 * time.Millisecond}},
		{From: t0 + 1e9, Requests: 40, Answered: 2, RivalRequests: 9, RivalAnswered: 8, Moved: 7, Latency: []time.Duration{7 * time.Millisecond}},
		{From: t0 + 2e9, Requests: 12, Answered: 12, Moved: 3},
	})
	want := report.Load{Name: "users", Users: 30, Requests: 62, Answered: 24, Rival: 9, RivalOK: 8, PeakS: 1, PeakRate: 40, MostMoved: 7, P99MS: 7,
		Curve:  []report.LoadPoint{{Requests: 10, Answered: 10}, {WallS: 1, Requests: 40, Answered: 2, Moved: 7}, {WallS: 2, Requests: 12, Answered: 12, Moved: 3}},
		Surges: []report.Surge{{FromWallS: 1, ToWallS: 3, Times: 3, Source: "a bell"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
