package main

import (
	"io"
	"strings"
	"testing"
)

const events = `{"Action":"run","Package":"p","Test":"TestSoak"}
{"Action":"run","Package":"p","Test":"TestSoak/001_whole_run"}
{"Action":"pass","Package":"p","Test":"TestSoak/001_whole_run","Elapsed":20.1}
{"Action":"output","Package":"p","Test":"TestSoak/002_agent_killed","Output":"left on the machine: x\n"}
{"Action":"fail","Package":"p","Test":"TestSoak/002_agent_killed","Elapsed":10}
{"Action":"fail","Package":"p","Test":"TestSoak","Elapsed":30.1}
{"Action":"fail","Package":"p","Elapsed":30.2}
`

// A failure is on the page, in the exit code and, with what it said, on the screen.
func TestFailedRound(t *testing.T) {
	var out strings.Builder
	page, err := tests(strings.NewReader(events), &out, "soak", &about{Commit: "c1"})
	if err == nil {
		t.Error("no error")
	}
	for _, want := range []string{"| Lab up, whole run, lab gone | 001 whole run | pass | 20.1 |", "| Lab up, whole run, lab gone | 002 agent killed | **fail** | 10.0 |", "* 1 of 2 passed"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if !strings.Contains(out.String(), "left on the machine: x") {
		t.Errorf("what the round said is lost:\n%s", out.String())
	}
}

func TestNothingRead(t *testing.T) {
	for _, page := range []string{"bench", "faults", "soak"} {
		if err := run(strings.NewReader("ok\n"), io.Discard, []string{page}, "/nonexistent/page.md", "c1"); err == nil {
			t.Errorf("%s: no error", page)
		}
	}
}
