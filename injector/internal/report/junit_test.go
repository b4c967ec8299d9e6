package report_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

func TestJUnit(t *testing.T) {
	run := fixture(t)
	l := &run.Layouts[1]
	l.Expect = append(l.Expect, report.Judged{Name: "login.own", Limit: "at most 5 s", Got: "4 s", Doubt: "the clients were late beside the outage, and that decides"})
	l.Steady = append(l.Steady, report.Steady{Probe: "pay", Reason: "availability 50.00% over the last 5s, at least 99.90% wanted"})
	l.HostState, l.ResidueDiff = report.Residue, []string{"p1: qdisc clsact on eth0 <new>"}
	out, err := report.JUnit(run)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "junit.golden.xml", out)
	var suites struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
	}
	if err := xml.Unmarshal(out, &suites); err != nil {
		t.Fatal(err)
	}
	if suites.Tests != 18 || suites.Failures != 3 || suites.Errors != 1 {
		t.Errorf("counted %+v", suites)
	}
}

// Control characters in what a service said may not break the file.
func TestJUnitOfARefusedRun(t *testing.T) {
	out, err := report.JUnit(&report.Run{Experiment: "fire", Outcome: report.RefusedRun, Reason: "agent \x00 <p1> & co", Started: time.Unix(9, 0), Ended: time.Unix(3, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(out, new(struct{})); err != nil || !bytes.Contains(out, []byte("skipped")) {
		t.Errorf("%v in\n%s", err, out)
	}
}

// What is read back is written out the same: nothing is lost or reordered.
func TestJSONRoundTrip(t *testing.T) {
	first, err := report.JSON(fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "run.json", first) // the fixture is written as reports are
	run, err := report.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := report.JSON(run)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("written, read and written again, report.json differs")
	}
	if _, err := report.Parse([]byte("{")); err == nil {
		t.Error("half a file was read")
	}
	if _, err := os.Stat(filepath.Join("assets", "uplot.LICENSE")); err != nil {
		t.Error("the licence of uPlot is not shipped with it")
	}
}
