package main

import (
	"strings"
	"testing"
	"time"
)

// busyRun has one stage at 30 s and an outage that begins at from.
func busyRun(from float64) []map[string]any {
	return []map[string]any{{
		"id": "run-0", "outcome": "completed", "host_state": "clean", "started": time.Unix(0, 0),
		"layouts": []any{map[string]any{
			"name": "stretched", "verdict": "held", "host_state": "clean", "late": []any{[]any{12.25, 12.75}, []any{50, 50.25}},
			"stages": []any{map[string]any{"name": "note", "wall_s": 12, "hosts": []any{}}, map[string]any{"name": "cut", "wall_s": 30, "hosts": []any{"p1"}}},
			"probes": []any{
				map[string]any{"name": "text", "availability": 0.95, "outages": []any{map[string]any{"from_wall_s": from, "to_wall_s": 35, "gate": "none"}}},
				map[string]any{"name": "bank", "availability": 1, "p99_ms": 30},
			},
		}},
	}}
}

func TestBusyHost(t *testing.T) {
	page, err := busyHost([]string{write(t, busyRun(30.1))}, about{})
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"* Verdict: held; hosts: clean\n* Clients late: 0.75 s in all; from 12.25 to 12.75, 50.00 to 50.25 s of wall time\n* Outages that no stage accounts for: 0\n",
		"| cut | 30.0 s |", "| text | 30.10 s | 35.00 s | none | 95.00 % | – |", "| bank | – | – | – | 100.00 % | 30 ms |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// The twin: an outage beside no stage but a note is not accounted for.
func TestBusyHostWithFalseOutage(t *testing.T) {
	page, err := busyHost([]string{write(t, busyRun(12.3))}, about{})
	if err == nil || !strings.Contains(page, "**text, dark from 12.3 s of wall time**") {
		t.Errorf("error %v:\n%s", err, page)
	}
}
