package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// alikeRuns are runs that differ in their figures and in nothing else, with the
// leader in turn here and there.
func alikeRuns(n int) (runs []map[string]any) {
	for i := range n {
		shift := float64(i) / 10
		probe := func(name string, back float64, gate string) map[string]any {
			return map[string]any{"name": name, "availability": 0.5 + shift/10, "p99_ms": 20 + i, "outages": []any{map[string]any{
				"from_incident_s": 185.0 + float64(i), "from_wall_s": 2.0, "to_wall_s": back + shift, "gated_incident_s": 36000.0, "gate": gate, "own_wall_s": 0.5 + shift,
			}}}
		}
		runs = append(runs, map[string]any{
			"id": fmt.Sprint("run-", i), "command": "injector run fire", "outcome": "completed", "host_state": "clean", "as_predicted": true,
			"started": time.Unix(int64(1000*i), 0), "ended": time.Unix(int64(1000*i+300), 0),
			"versions": map[string]any{"injector": "c1"}, "variables": map[string]any{"leader": []string{"p4", "a1"}[i%2]},
			"layouts": []any{
				map[string]any{
					"name": "as-it-was", "verdict": "deviated", "failed": []any{"text.gated"},
					"probes": []any{
						probe("text", 50, "runbook"), probe("login", 63, "runbook"), probe("taxi", 61, "runbook"), probe("pay", 63.5, "runbook"),
						probe("media", 74, "runbook"), probe("mail", 85, "power"), probe("channel", 96, "runbook"),
					},
					"ledgers": []any{map[string]any{"name": "talk", "acknowledged": 1000 + 100*i}},
					"loads":   []any{map[string]any{"name": "people", "requests": 2000, "answered": 1500, "most_moved": 30, "p99_ms": 9}},
				},
				map[string]any{"name": "stretched", "verdict": "held", "probes": []any{probe("text", 35, "none"), probe("mail", 40, "power")}},
			},
		})
	}
	return runs
}

// write puts reports where runs put them, and returns the folder.
func write(t *testing.T, runs []map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	for i, run := range runs {
		b, err := json.Marshal(run)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, fmt.Sprint(i), "report.json")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestRunsAlike(t *testing.T) {
	dir := write(t, alikeRuns(4))
	log := `{"wall":"2026-01-01T00:00:00Z","type":"layout-started","layout":"as-it-was"}
{"wall":"2026-01-01T00:00:01.5Z","type":"lab-up","layout":"as-it-was"}
`
	if err := os.WriteFile(filepath.Join(dir, "2/events.jsonl"), []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	page, err := repeat([]string{dir}, about{})
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{
		"# Four runs in a row",
		"* as-it-was: deviated (text.gated)\n* stretched: held\n",
		"| run-1 | a1 | as-it-was deviated, stretched held | 300 s |",
		"| text | 1 | T+3m5s / T+3m7s / T+3m8s | 10 h 00 min | 0.50 s / 0.65 s / 0.80 s | 50.00 % / 51.50 % / 53.00 % | 20 ms / 22 ms / 23 ms |",
		"leader at first on a1\n\n| Service | Outages",
		"| text | 1 | T+3m6s / T+3m7s / T+3m8s | 10 h 00 min | 0.60 s / 0.70 s / 0.80 s |",
		"| talk | 1,000 / 1,150 / 1,300 | 0 |",
		"| people | 2,000 | 1,500 | 30 | 9 ms |",
		"| all hosts up | 1.50 s (in 1 of 4) |",
		"| text back, then the first of taxi, login, pay | 11.00 s |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(page)
	}
}

// The twins: what is not alike is on the page and in the exit code.
func TestRunsNotAlike(t *testing.T) {
	layout := func(run map[string]any, i int) map[string]any { return run["layouts"].([]any)[i].(map[string]any) }
	outage := func(run map[string]any, i, probe int) map[string]any {
		return layout(run, i)["probes"].([]any)[probe].(map[string]any)["outages"].([]any)[0].(map[string]any)
	}
	cases := []struct {
		spoil func(run map[string]any)
		want  string
	}{
		{func(r map[string]any) { layout(r, 1)["verdict"] = "deviated" }, "stretched: deviated; in the first run: held"},
		{func(r map[string]any) { layout(r, 0)["failed"] = []any{"text.gated", "talk.lost"} }, "as-it-was: deviated (talk.lost, text.gated); in the first run: deviated (text.gated)"},
		{func(r map[string]any) { r["layouts"] = r["layouts"].([]any)[:1] }, "it has the layouts as-it-was, the first run has as-it-was, stretched"},
		{func(r map[string]any) { r["as_predicted"] = false }, "it did not come out as predicted"},
		{func(r map[string]any) { r["host_state"] = "residue" }, "the hosts are not as they were found: residue"},
		{func(r map[string]any) { r["outcome"] = "halted" }, "it was halted, not completed"},
		{func(r map[string]any) { r["id"] = "run-0" }, "it is given twice"},
		{func(r map[string]any) { outage(r, 0, 4)["to_wall_s"] = 60.0 }, "as-it-was: media came back before pay, by 3.6 s"},
		{func(r map[string]any) { outage(r, 0, 6)["to_wall_s"] = nil }, "as-it-was: channel never came back"},
		{func(r map[string]any) { layout(r, 0)["probes"].([]any)[2].(map[string]any)["outages"] = []any{} }, "as-it-was: taxi had no outage"},
		{func(r map[string]any) { outage(r, 0, 0)["gate"] = "none" }, "as-it-was: an outage of text waited for none, not for power or a runbook step"},
		{func(r map[string]any) { outage(r, 1, 0)["gate"] = "power" }, "stretched: an outage of text waited for power, it should wait for nothing"},
	}
	for _, c := range cases {
		runs := alikeRuns(3)
		c.spoil(runs[1])
		path := filepath.Join(t.TempDir(), "page.md")
		err := run(nil, io.Discard, []string{"repeat", write(t, runs)}, path, "")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		page, _ := os.ReadFile(path)
		if !strings.Contains(string(page), "* **no**: run "+runs[1]["id"].(string)+": ") {
			t.Errorf("%s: not on the page:\n%s", c.want, page)
		}
	}
}

func TestNoRuns(t *testing.T) {
	if _, err := repeat([]string{t.TempDir()}, about{}); err == nil {
		t.Error("no error")
	}
	if _, err := repeat(nil, about{}); err == nil {
		t.Error("no error")
	}
}
