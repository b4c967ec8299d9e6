package fault

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// BenchmarkWakeError measures how late the waiting thread runs, beside a
// program that sleeps until the instant and goes on; both in turn, in one run.
func BenchmarkWakeError(b *testing.B) {
	d := NewDriver(&probe{})
	items := []RawItem{{ID: "i", Change: json.RawMessage(`{}`)}}
	var ours, sleep []time.Duration
	var timer string
	for b.Loop() {
		at := Now().Add(alertSpan + 10*time.Millisecond)
		applied, err := d.Apply(b.Context(), items, at, 0)
		if err != nil {
			b.Fatal(err)
		}
		timer = applied[0].Timer
		ours = append(ours, applied[0].Woke.Sub(at))
		at = Now().Add(alertSpan)
		time.Sleep(at.Sub(Now()))
		sleep = append(sleep, Now().Sub(at))
	}
	percentiles(b, "", ours)
	percentiles(b, "sleep-", sleep)
	b.ReportMetric(0, "ns/op")
	b.Logf("waited by %s, %d starts", timer, len(ours))
}

func percentiles(b *testing.B, name string, late []time.Duration) {
	slices.Sort(late)
	for unit, i := range map[string]int{"p50-ms": len(late) / 2, "p99-ms": len(late) * 99 / 100, "max-ms": len(late) - 1} {
		b.ReportMetric(float64(late[i])/1e6, name+unit)
	}
}
