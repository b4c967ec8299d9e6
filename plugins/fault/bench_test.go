package fault

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// BenchmarkWakeError measures how late the waiting thread runs.
func BenchmarkWakeError(b *testing.B) {
	d := NewDriver(&probe{})
	items := []RawItem{{ID: "i", Change: json.RawMessage(`{}`)}}
	var late []time.Duration
	var timer string
	for b.Loop() {
		at := Now().Add(alertSpan + 10*time.Millisecond)
		applied, err := d.Apply(b.Context(), items, at, 0)
		if err != nil {
			b.Fatal(err)
		}
		timer = applied[0].Timer
		late = append(late, applied[0].Woke.Sub(at))
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(late[len(late)*99/100])/1e6, "p99-ms")
	b.ReportMetric(0, "ns/op")
	b.Logf("waited by %s, %d starts", timer, len(late))
}
