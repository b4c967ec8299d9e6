package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
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

// Runs of one, two and three layouts as they end in the terminal, and the small
// one also as a table in Markdown.
func TestSummary(t *testing.T) {
	three := threeLayouts()
	each(three, func(l *report.Layout) {
		if l.Name == "stretched" {
			l.Missing = []string{"c6 (spared: cpu of stage survivors-starved)"}
			l.NotInjected = []string{"cpu on c3: no control group of its own", "cpu on c4: the same", "cpu on c5: the same", "cpu on c1: the same"}
		}
	})
	two := threeLayouts()
	two.Layouts = []report.Layout{two.Layouts[0], two.Layouts[2]}
	two.Layouts[0].Ledgers[0].Missing, two.Layouts[0].Ledgers[0].Elsewhere = 4, 4
	two.Layouts[0].Probes[0].Outages[0].UnsureAfterS = 0.3
	two.Layouts[0].Probes[1].Outages[0].OwnWallS = nil
	two.Layouts[1].Probes[2].Samples = 0
	one := fixture(t)
	one.Layouts = one.Layouts[:1]
	l := &one.Layouts[0]
	l.Predicted.Match, l.Predicted.Verdict, l.Predicted.Failed = false, report.Held, nil
	l.Verdict, l.Outcome, l.Reasons = report.Inconclusive, report.Halted, []string{strings.Repeat("a stop condition was met ", 5) + "and all was reverted"}
	l.HostState, l.ResidueDiff = report.Residue, []string{"p1: qdisc clsact on eth0"}
	for name, run := range map[string]*report.Run{"three": three, "two": two, "one": one} {
		golden(t, "summary-"+name+".golden.txt", []byte(summary(t, run)))
	}
	golden(t, "table.golden.md", []byte(report.MarkdownServices(threeLayouts())+"\n"+report.MarkdownTable(fixture(t))))
}

func summary(t *testing.T, run *report.Run) string {
	t.Helper()
	var out bytes.Buffer
	if err := report.Summary(&out, run); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// No line is wider than 80 columns, however long names and figures are, and the
// figures of the fire's own run are all there whole.
func TestSummaryFitsATerminal(t *testing.T) {
	for name, change := range map[string]func(*report.Run){
		"the fire": func(*report.Run) {},
		"long names": func(r *report.Run) {
			each(r, func(l *report.Layout) {
				l.Name = "a-layout-of-a-name-" + l.Name
				for i := range l.Probes {
					l.Probes[i].Name = "a-probe-of-a-name-" + l.Probes[i].Name
				}
			})
		},
		"wide letters": func(r *report.Run) {
			each(r, func(l *report.Layout) {
				l.Name, l.Probes[0].Name = strings.Repeat("판교", 9), strings.Repeat("카카오", 9)
			})
		},
		"many layouts": func(r *report.Run) {
			for range 3 {
				r.Layouts = append(r.Layouts, r.Layouts...)
			}
		},
		"long lines": func(r *report.Run) {
			each(r, func(l *report.Layout) {
				l.Missing, l.NotInjected, l.ResidueDiff = []string{strings.Repeat("p ", 90)}, []string{strings.Repeat("cpu ", 40)}, []string{strings.Repeat("q\n", 90)}
				l.Reasons, l.HostState, l.Predicted.Match = []string{strings.Repeat("why ", 60)}, report.Residue, false
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := threeLayouts()
			change(run)
			text := summary(t, run)
			for _, line := range strings.Split(text, "\n") {
				if n := ansi.StringWidth(line); n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
			if name == "long names" && !strings.Contains(text, "a-probe-of-…  3d13h38 +0.5s") {
				t.Errorf("long names take the room of the figures:\n%s", text)
			}
			if name == "the fire" && strings.Contains(text, "…") {
				t.Errorf("something is cut:\n%s", text)
			}
		})
	}
}

func TestSummaryOfARefusedRun(t *testing.T) {
	text := summary(t, &report.Run{Outcome: report.RefusedRun, Reason: "agent p1 does not answer"})
	if text != "refused: agent p1 does not answer\n" {
		t.Errorf("%q", text)
	}
}
