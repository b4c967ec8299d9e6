// Package preflight finds out what a machine lacks to run experiments in a lab
// or as a target host. It tries things out where a look does not tell: in a
// network namespace and a control group of its own, which are gone afterwards.
package preflight

import (
	"errors"
	"fmt"
	"strings"
)

// Check is one thing that a machine has or lacks.
type Check struct {
	// Name is the kernel feature's name, as in the needs of a fault.
	Name string `json:"name"`
	// Lost is what cannot run without it. Empty: nothing; Remedy says what is done
	// in its place.
	Lost []string `json:"lost,omitempty"`
	// Cause says why it is missing. Empty: the machine has it.
	Cause string `json:"cause,omitempty"`
	// Remedy is what a person can do about it.
	Remedy string `json:"remedy,omitempty"`
}

// OK says whether the machine has it.
func (c Check) OK() bool { return c.Cause == "" }

// Missing says whether it is needed and not there.
func (c Check) Missing() bool { return !c.OK() && len(c.Lost) > 0 }

// What may be lost.
const (
	theLab       = "injector run --lab, injector lab"
	thePowerloss = "fault powerloss"
	thePartition = "fault partition by port, protocol, direction or with a meter"
	theTraffic   = "faults loss, duplicate, corrupt, bandwidth and delay"
	theBandwidth = "fault bandwidth"
	theRate      = "lab files with a link that has a rate"
	theGuardian  = "host agent: guardian and fencing"
)

// probe is how one thing is found out.
type probe struct {
	name   string
	lost   []string
	remedy string
	try    func() error
}

var errNotRoot = errors.New("not tried: needs root")

// Run tries everything. Without root most is not tried, and counts as missing.
func Run() []Check {
	var checks []Check
	for _, p := range probes() {
		c := Check{Name: p.name, Lost: p.lost, Remedy: p.remedy}
		if err := p.try(); err != nil {
			c.Cause = err.Error()
		}
		if c.OK() {
			c.Remedy = ""
		}
		checks = append(checks, c)
	}
	return checks
}

// Missing returns what is needed and not there.
func Missing(checks []Check) []Check {
	var missing []Check
	for _, c := range checks {
		if c.Missing() {
			missing = append(missing, c)
		}
	}
	return missing
}

// Text writes checks for a person, one a line, what is lost below it.
func Text(checks []Check) string {
	var b strings.Builder
	for _, c := range checks {
		switch {
		case c.OK():
			fmt.Fprintf(&b, "ok       %s\n", c.Name)
		case c.Missing():
			fmt.Fprintf(&b, "MISSING  %s: %s\n         cannot run: %s\n         %s\n", c.Name, c.Cause, strings.Join(c.Lost, "; "), c.Remedy)
		default:
			fmt.Fprintf(&b, "absent   %s: %s (%s)\n", c.Name, c.Cause, c.Remedy)
		}
	}
	return b.String()
}
