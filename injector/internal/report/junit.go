package report

import (
	"encoding/xml"
	"fmt"
	"strings"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property,omitempty"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// JUnit is junit.xml: a suite for each layout, with a case for each expectation,
// for the hypothesis of each probe after the last revert, for the host state and
// for the layout's own run. Failed is a failure, what cannot be judged an error.
// A run that was refused has one case, skipped, that says why.
func JUnit(run *Run) ([]byte, error) {
	all := junitSuites{Name: run.Experiment, Time: elapsed(run)}
	for _, l := range run.Layouts {
		all.add(layoutSuite(run, l))
	}
	if len(run.Layouts) == 0 {
		all.add(junitSuite{Name: run.Experiment, Cases: []junitCase{emptyCase(run)}})
	}
	out, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode junit: %w", err)
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}

func elapsed(run *Run) string {
	if run.Ended.Before(run.Started) {
		return "0"
	}
	return fmt.Sprintf("%.3f", run.Ended.Sub(run.Started).Seconds())
}

// add counts a suite's cases and takes it in.
func (all *junitSuites) add(s junitSuite) {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	all.Tests += s.Tests
	all.Failures += s.Failures
	all.Errors += s.Errors
	all.Skipped += s.Skipped
	all.Suites = append(all.Suites, s)
}

func emptyCase(run *Run) junitCase {
	c := junitCase{Class: run.Experiment, Name: "run"}
	if run.Outcome == RefusedRun {
		c.Skipped = &junitMessage{Message: run.Reason}
	} else {
		c.Error = &junitMessage{Message: run.Reason, Type: string(run.Outcome)}
	}
	return c
}

func layoutSuite(run *Run, l Layout) junitSuite {
	class := run.Experiment + "." + l.Name
	s := junitSuite{Name: class, Time: fmt.Sprintf("%.3f", l.EndS), Properties: []junitProperty{
		{"seed", fmt.Sprint(run.Seed)}, {"plan_digest", l.PlanDigest}, {"verdict", string(l.Verdict)}, {"predicted", string(l.Predicted.Verdict)},
	}}
	if !run.Started.IsZero() {
		s.Timestamp = run.Started.UTC().Format("2006-01-02T15:04:05")
	}
	for _, e := range l.Expect {
		c := junitCase{Class: class, Name: e.Name + " " + e.Limit}
		switch {
		case e.Doubt != "":
			c.Error = &junitMessage{Message: e.Doubt, Type: "inconclusive"}
		case !e.OK:
			c.Failure = &junitMessage{Message: "measured " + e.Got + ", wanted " + e.Limit, Type: "deviated", Text: e.Reason}
		default:
			c.Out = "measured " + e.Got
		}
		s.Cases = append(s.Cases, c)
	}
	for _, st := range l.Steady {
		c := junitCase{Class: class, Name: st.Probe + ".steady after the last revert"}
		if !st.OK {
			c.Failure = &junitMessage{Message: st.Reason, Type: "deviated"}
		}
		s.Cases = append(s.Cases, c)
	}
	s.Cases = append(s.Cases, hostsCase(class, l), runCase(class, l))
	return s
}

func hostsCase(class string, l Layout) junitCase {
	c := junitCase{Class: class, Name: "hosts left as found"}
	if l.HostState == Residue {
		c.Failure = &junitMessage{Message: fmt.Sprintf("%d differences", len(l.ResidueDiff)), Type: "residue", Text: strings.Join(l.ResidueDiff, "\n")}
	}
	return c
}

func runCase(class string, l Layout) junitCase {
	c := junitCase{Class: class, Name: "run to its end and measured"}
	if l.Verdict == Inconclusive || (l.Outcome != Completed && l.Outcome != "") {
		c.Error = &junitMessage{Message: strings.Join(l.Reasons, "; "), Type: string(l.Outcome)}
	}
	return c
}
