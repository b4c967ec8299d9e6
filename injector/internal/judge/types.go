// Package judge turns what was measured into what it means: outages split into
// the part that waited for power or people and the part software took by itself,
// expectations, comparisons and the verdict of one layout. It is pure: no clock,
// no I/O.
package judge

import (
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// Input is all that is known of one layout's run. Wall times count from T0.
type Input struct {
	Plan       *plan.Plan
	Experiment *experiments.Experiment
	Inventory  *inventory.Inventory
	Predict    experiments.Prediction

	T0       int64         // CLOCK_BOOTTIME in ns of the start of the incident's clock
	Reverted time.Duration // when the last fault was reverted; 0: when the plan ends

	Samples []probe.Sample
	Late    []probe.Window
	Audits  []ledger.Audit
	Writes  map[string][]ledger.Write // by ledger, for its curve
	Loads   map[string][]crowd.Second // by name, in order of time
	Gates   []Gate
	After   map[string]Steadiness // the hypothesis after the last revert, by probe

	Faults []report.Fault // filled in by the runner
	Steps  []report.Step  // replayed runbook steps, filled in by the runner

	Residue  []string
	Foreign  []string
	Findings []string
	Doubts   []string // why the run is inconclusive whatever was measured, e.g. an agent that died
	Outcome  report.Outcome
	Reason   string // why the run did not go to its end
}

// GateKind is what an outage may have had to wait for.
type GateKind string

// The kinds of gates.
const (
	NoGate  GateKind = "none"
	Power   GateKind = "power"
	Runbook GateKind = "runbook"
)

// Gate is an event that service may have had to wait for: a host that is powered
// on again, or the start of a replayed runbook step.
type Gate struct {
	Kind GateKind
	Name string // the host, or the step
	Wall time.Duration
}

// Steadiness is whether one probe's hypothesis held.
type Steadiness struct {
	OK     bool
	Reason string // why not
}
