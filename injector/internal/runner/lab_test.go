package runner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A whole run in a lab: the fault is seen to act, all is reverted, nothing is
// left, and the folder holds everything.
func TestRunInLab(t *testing.T) {
	out := &output{t: t}
	o := options(t, "http://h2:8080/", out)
	run, err := Run(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	checkCut(t, run, out)
	checkLoad(t, run.Layouts[0], out)
	for _, name := range []string{"report.json", "report.html", "junit.xml", "events.jsonl", "logs/h1/small/hostagent.log", "logs/h2/small/web.log", "logs/clients/small/clients.log"} {
		if _, err := os.Stat(filepath.Join(o.Dir, run.ID, name)); err != nil {
			t.Error(err)
		}
	}
}

// checkCut checks the run of the one experiment these tests have. Whether it
// was judged is left open: on a busy machine the clients are late.
func checkCut(t *testing.T, run *report.Run, out *output) {
	t.Helper()
	if run.Outcome != report.Completed || run.HostState != report.Clean || run.Verdict == report.Deviated {
		t.Fatalf("outcome %s, verdict %s, hosts %s\n%s", run.Outcome, run.Verdict, run.HostState, out)
	}
	l := run.Layouts[0]
	if len(l.Faults) != 1 || l.Faults[0].State != string(fault.Exercised) || l.Faults[0].Ended != "reverted" {
		t.Errorf("faults %+v\n%s", l.Faults, out)
	}
	if l.Probes[0].Samples == 0 {
		t.Error("no samples")
	}
}

// checkLoad misses people who moved while their host was dark, came back, and
// were joined by others.
func checkLoad(t *testing.T, l report.Layout, out *output) {
	t.Helper()
	if len(l.Loads) != 1 {
		t.Fatalf("loads %+v", l.Loads)
	}
	users := l.Loads[0]
	if last := users.Curve[len(users.Curve)-1]; users.MostMoved != 5 || users.RivalOK == 0 || last.Moved != 0 || last.Answered == 0 {
		t.Errorf("moving and coming back: %+v\n%s", users, out)
	}
	if users.Answered >= users.Requests || users.P99MS <= 0 || users.PeakS < users.Surges[0].FromWallS-1 || users.PeakS > users.Surges[0].ToWallS {
		t.Errorf("asking: %+v", users)
	}
	for _, line := range []string{" of 5 people are at the rival", "load users: 4 times as many people, 15 more, for 1s", "load users: nobody is at the rival any more"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no line %q\n%s", line, out)
		}
	}
}

// An interrupt in the middle of a fault reverts everything; TestMain checks
// that nothing of the lab is left.
func TestInterruptReverts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &output{t: t, want: "in force on h1", seen: cancel}
	began := time.Now()
	run, err := Run(ctx, options(t, "http://h2:8080/", out))
	if err != nil {
		t.Fatal(err)
	}
	if ctx.Err() == nil || run.Outcome != report.Interrupted || run.HostState != report.Clean {
		t.Errorf("after %s: outcome %s, hosts %s\n%s", time.Since(began), run.Outcome, run.HostState, out)
	}
	if f := run.Layouts[0].Faults[0]; f.Ended != "reverted" {
		t.Errorf("fault ended as %q\n%s", f.Ended, out)
	}
}
