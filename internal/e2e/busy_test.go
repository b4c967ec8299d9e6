package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A host runs wild and, as that alone does not hold the clients up, they are
// stopped for a while: their lateness is listed and no outage is made of it. It
// is too much of the run to call the layout held, and no reason to say that it
// deviated.
func TestLateClientsAreNoOutage(t *testing.T) {
	d := launch(t, wild)
	at, took := d.stopFor(1500*time.Millisecond, "/proc/self/exe clients")
	if code := d.end(); code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	l := d.report().Layouts[0]
	for _, p := range l.Probes {
		if len(p.Outages) > 0 {
			t.Errorf("nothing failed, and %s was reported dark: %+v", p.Name, p.Outages)
		}
	}
	late := 0.0
	for _, span := range l.Late {
		late = max(late, span[1]-span[0])
	}
	if low := (took - 300*time.Millisecond).Seconds(); late < low {
		t.Errorf("the clients stood still for %s from %s on, and were late in %v s of wall time", took, at.Format(time.TimeOnly), l.Late)
	}
	if why := strings.Join(l.Reasons, "\n"); l.Verdict != "inconclusive" || !strings.Contains(why, "the clients were late for") || len(l.Failed) > 0 {
		t.Errorf("verdict %s, failed lines %v, because:\n%s", l.Verdict, l.Failed, why)
	}
	d.clean()
}

// The twin: the service stands still instead, for 2 s in the same place. That is
// an outage, and the line that limits it fails.
func TestStoppedServiceIsAnOutage(t *testing.T) {
	d := launch(t, wild)
	_, took := d.stopFor(2*time.Second, "superapp hello")
	code := d.end()
	l := d.report().Layouts[0]
	if len(l.Probes) != 1 || len(l.Probes[0].Outages) != 1 || l.Probes[0].Outages[0].To == nil {
		t.Fatalf("want one outage of one probe: %+v", l.Probes)
	}
	o := l.Probes[0].Outages[0]
	if got := *o.To - o.From; got < took.Seconds()-0.5 || got > took.Seconds()+1 {
		t.Errorf("the service stood still for %s, and was reported dark for %.1f s", took, got)
	}
	if strings.Join(l.Failed, " ") != "web.own" {
		t.Errorf("failed lines %v, want web.own", l.Failed)
	}
	if code != 1 && len(l.Late) == 0 { // the machine itself may hold the clients up
		t.Errorf("exit code %d, verdict %s, want deviated", code, l.Verdict)
	}
	d.clean()
}

func wild(dir string) error { return os.CopyFS(dir, os.DirFS("testdata/busy")) }

// stopFor stops the processes with words in their command lines for a while, well
// after the run's first stage. It returns when that began and how long it was.
func (d *drill) stopFor(while time.Duration, words string) (began time.Time, took time.Duration) {
	d.t.Helper()
	d.waitFor("steady: ")
	d.lab = d.labMark()
	time.Sleep(2500 * time.Millisecond) // T0 is half a second away, the stage at T+1s
	pids := d.descendants(words)
	began = time.Now()
	d.signal(syscall.SIGSTOP, pids...)
	time.Sleep(while)
	d.signal(syscall.SIGCONT, pids...)
	return began, time.Since(began)
}
