package report_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// The tables in README.md, the services alone, and in the experiment's own, all of
// it, are the committed run's.
func TestREADMEShowsTheCommittedRun(t *testing.T) {
	b, err := os.ReadFile("../../../docs/results/datacenter-fire.json")
	if err != nil {
		t.Fatal(err)
	}
	var run report.Run
	if err := json.Unmarshal(b, &run); err != nil {
		t.Fatal(err)
	}
	if run.AsPredicted == nil || !*run.AsPredicted {
		t.Error("docs/results/datacenter-fire.json is not a run that came out as predicted")
	}
	const begin, end = "<!-- fire -->\n", "<!-- /fire -->"
	for path, want := range map[string]string{
		"../../../README.md":                             report.MarkdownServices(&run),
		"../../../experiments/datacenter-fire/README.md": report.MarkdownTable(&run),
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, ok := strings.Cut(string(text), begin)
		old, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Errorf("%s: no table between %q and %q", path, begin, end)
			continue
		}
		if *update {
			if err := os.WriteFile(path, []byte(head+begin+want+end+tail), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if old != want {
			t.Errorf("%s: the table is not that of docs/results/datacenter-fire.json; run this test with -update\n%s", path, want)
		}
	}
}
