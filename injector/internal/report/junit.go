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
// What was left out is skipped, with its reason: an optional fault that could not
// be injected, a missing host, a run or layout that was refused. Loads are not
// judged and stand among the properties.
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
	s.Properties = append(s.Properties, loadProperties(l)...)
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
	s.Cases = append(s.Cases, leftOutCases(class, l)...)
	s.Cases = append(s.Cases, hostsCase(class, l), runCase(run, class, l))
	return s
}

// loadProperties tell of the loads, which are not judged and so are no cases.
func loadProperties(l Layout) []junitProperty {
	var out []junitProperty
	for _, g := range l.Loads {
		out = append(out, junitProperty{"load." + g.Name, fmt.Sprintf("%s, %s answered, %s of %s at a rival at most",
			plural(g.Requests, "request"), Count(g.Answered), Count(g.MostMoved), plural(g.Users, "user"))})
	}
	return out
}

// leftOutCases are what the file allows to be left out and was: skipped, with why.
func leftOutCases(class string, l Layout) []junitCase {
	var out []junitCase
	for _, left := range l.NotInjected {
		fault, why, _ := strings.Cut(left, ": ")
		out = append(out, junitCase{Class: class, Name: "optional fault " + fault, Skipped: &junitMessage{Message: why}})
	}
	for _, missing := range l.Missing {
		host, spared, _ := strings.Cut(missing, " (")
		why := "the host was missing, as far as the file allows it"
		if spared != "" {
			why += "; " + strings.TrimSuffix(spared, ")")
		}
		out = append(out, junitCase{Class: class, Name: "host " + host, Skipped: &junitMessage{Message: why}})
	}
	return out
}

func hostsCase(class string, l Layout) junitCase {
	c := junitCase{Class: class, Name: "hosts left as found"}
	if l.HostState == Residue {
		c.Failure = &junitMessage{Message: plural(len(l.ResidueDiff), "difference"), Type: "residue", Text: strings.Join(l.ResidueDiff, "\n")}
	}
	return c
}

// runCase is the layout's own run: skipped when it was refused, as then nothing
// was changed and nothing can have failed.
func runCase(run *Run, class string, l Layout) junitCase {
	c := junitCase{Class: class, Name: "run to its end and measured"}
	why := strings.Join(l.Reasons, "; ")
	if why == "" {
		why = run.Reason
	}
	switch {
	case l.Outcome == RefusedRun:
		c.Skipped = &junitMessage{Message: why}
	case l.Outcome != Completed && l.Outcome != "":
		c.Error = &junitMessage{Message: why, Type: string(l.Outcome)}
	case l.Verdict == Inconclusive:
		c.Error = &junitMessage{Message: why, Type: string(l.Verdict)}
	}
	return c
}
