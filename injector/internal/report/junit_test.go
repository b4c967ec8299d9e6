package report_test

import (
	"bytes"
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	if bytes.Contains(out, []byte("1 differences")) {
		t.Error("one difference is none of several")
	}
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

// What was left out is a skipped case that says why, a refused layout too, and a
// load is no case at all.
func TestJUnitSkipsWhatWasLeftOut(t *testing.T) {
	run := threeLayouts()
	l := &run.Layouts[0]
	l.Missing = []string{"c6 (spared: cpu of stage survivors-starved)", "c5"}
	l.NotInjected = []string{"cpu on c3: no control group: none of its own"}
	run.Layouts[1].Outcome, run.Layouts[1].Reasons = report.RefusedRun, []string{"agent p1 does not answer"}
	run.Layouts[2].Verdict, run.Layouts[2].Reasons = report.Inconclusive, []string{"the clients were late"}
	out, err := report.JUnit(run)
	if err != nil {
		t.Fatal(err)
	}
	type message struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
	}
	var suites struct {
		Skipped int `xml:"skipped,attr"`
		Suites  []struct {
			Properties []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"properties>property"`
			Cases []struct {
				Name    string   `xml:"name,attr"`
				Skipped *message `xml:"skipped"`
				Error   *message `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(out, &suites); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for i, s := range suites.Suites {
		for _, c := range s.Cases {
			if c.Skipped != nil {
				got[c.Name] = "skipped: " + c.Skipped.Message
			}
			if c.Error != nil {
				got[c.Name+"/"+run.Layouts[i].Name] = c.Error.Type + ": " + c.Error.Message
			}
		}
		if p := s.Properties[len(s.Properties)-1]; i == 0 && (p.Name != "load.people" || p.Value != "2,018 requests, 1,424 answered, 30 of 30 users at a rival at most") {
			t.Errorf("the load is told as %+v", p)
		}
	}
	want := map[string]string{
		"optional fault cpu on c3":              "skipped: no control group: none of its own",
		"host c6":                               "skipped: the host was missing, as far as the file allows it; spared: cpu of stage survivors-starved",
		"host c5":                               "skipped: the host was missing, as far as the file allows it",
		"run to its end and measured":           "skipped: agent p1 does not answer",
		"run to its end and measured/stretched": "inconclusive: the clients were late",
	}
	if diff := cmp.Diff(want, got); diff != "" || suites.Skipped != 4 {
		t.Errorf("%d skipped\n%s", suites.Skipped, diff)
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
