package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fixture is a run of two layouts, read from testdata.
func fixture(t *testing.T) *report.Run {
	t.Helper()
	src, err := os.ReadFile(filepath.Join("testdata", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	run, err := report.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what is written now (-update writes it):\n%s", path, diff)
	}
}

func TestSummary(t *testing.T) {
	var out bytes.Buffer
	if err := report.Summary(&out, fixture(t)); err != nil {
		t.Fatal(err)
	}
	golden(t, "summary.golden.txt", out.Bytes())
	golden(t, "table.golden.md", []byte(report.MarkdownTable(fixture(t))))
}

func TestSummaryOfARefusedRun(t *testing.T) {
	var out bytes.Buffer
	if err := report.Summary(&out, &report.Run{Outcome: report.RefusedRun, Reason: "agent p1 does not answer"}); err != nil {
		t.Fatal(err)
	}
	if out.String() != "refused: agent p1 does not answer\n" {
		t.Errorf("%q", out.String())
	}
}
