// Package experiments is the experiment file: its types, strict parsing with
// positions, validation, and its JSON Schema. It imports nothing of this module.
//
// Three kinds of time never mix. An Instant is a moment of the incident, written
// T+93m. A Duration is wall time, written 5s. An IncidentDuration is a length of
// incident time; it stands only in fields whose name ends in _incident.
package experiments

import (
	"encoding/json"
	"time"
)

// Instant is a moment of the incident, counted from the clock's start.
type Instant time.Duration

// Duration is a length of wall time.
type Duration time.Duration

// IncidentDuration is a length of incident time.
type IncidentDuration time.Duration

// Ratio is a share between 0 and 1, written as a percentage: 99.9%.
type Ratio float64

// Experiment is one experiment file.
type Experiment struct {
	Name       string              `yaml:"experiment" json:"experiment"`
	Title      string              `yaml:"title,omitempty" json:"title,omitempty"`
	Clock      Clock               `yaml:"clock" json:"clock"`
	Seed       int64               `yaml:"seed" json:"seed"`
	Variables  map[string]Variable `yaml:"variables,omitempty" json:"variables,omitempty"`
	Layouts    map[string]Layout   `yaml:"layouts,omitempty" json:"layouts,omitempty"` // run in file order: see LayoutOrder
	Hypothesis []Hypothesis        `yaml:"hypothesis" json:"hypothesis"`
	Ledger     []Ledger            `yaml:"ledger,omitempty" json:"ledger,omitempty"`
	Stages     []Stage             `yaml:"stages" json:"stages"`
	Runbook    []RunbookStep       `yaml:"runbook,omitempty" json:"runbook,omitempty"`
	Limits     Limits              `yaml:"limits,omitempty" json:"limits,omitempty"`
	Expect     []Expectation       `yaml:"expect,omitempty" json:"expect,omitempty"`
	Compare    []Comparison        `yaml:"compare,omitempty" json:"compare,omitempty"`
	// LayoutOrder is the order of Layouts in the file.
	LayoutOrder []string `yaml:"-" json:"-"`
}

// Clock ties incident time to wall time. Pace says how much wall time passes up
// to each instant; incident time runs evenly between. The last instant ends the
// experiment's stages. Without Pace one minute of the incident takes one minute.
type Clock struct {
	Start time.Time `yaml:"start,omitempty" json:"start,omitempty"` // of the incident, for the report's axis
	Pace  []Pace    `yaml:"pace,omitempty" json:"pace,omitempty"`
}

// Pace is one stretch of the clock.
type Pace struct {
	To    Instant  `yaml:"to" json:"to"`
	Takes Duration `yaml:"takes" json:"takes"`
}

// Variable is set by --var name=value and used as ${name}; a list stays a list.
type Variable struct {
	Default     any    `yaml:"default" json:"default"`
	Description string `yaml:"description,omitempty" json:"description,omitempty"`
}

// Layout is one way the company might be built: a lab file and the predicted verdict.
type Layout struct {
	Lab     string     `yaml:"lab" json:"lab"` // path relative to the experiment file
	Predict Prediction `yaml:"predict,omitempty" json:"predict,omitempty"`
}

// Prediction is what --as-predicted compares with.
type Prediction struct {
	Verdict string   `yaml:"verdict" json:"verdict"`                 // held, deviated, inconclusive
	Fails   []string `yaml:"fails,omitempty" json:"fails,omitempty"` // <probe|ledger>.<field>
	Reason  string   `yaml:"reason,omitempty" json:"reason,omitempty"`
}

// Hypothesis is one probe and the tolerance within which it is steady.
type Hypothesis struct {
	Probe     string    `yaml:"probe" json:"probe"`
	HTTP      *HTTP     `yaml:"http,omitempty" json:"http,omitempty"`
	TCP       *TCP      `yaml:"tcp,omitempty" json:"tcp,omitempty"`
	Every     Duration  `yaml:"every" json:"every"`
	Timeout   Duration  `yaml:"timeout,omitempty" json:"timeout,omitempty"` // default 1s
	Tolerance Tolerance `yaml:"tolerance" json:"tolerance"`
}

// HTTP is one request. Exactly one of Get and Post is set. Several URLs are
// tried in order until one answers as expected (a client with a list of gateways).
type HTTP struct {
	Get    URLs   `yaml:"get,omitempty" json:"get,omitempty"`
	Post   URLs   `yaml:"post,omitempty" json:"post,omitempty"`
	Body   string `yaml:"body,omitempty" json:"body,omitempty"` // ${n} is the number of the write
	Expect int    `yaml:"expect" json:"expect"`                 // status code
}

// URLs is written as one string or a list.
type URLs []string

// TCP is one connect.
type TCP struct {
	Connect string `yaml:"connect" json:"connect"` // host:port
}

// Tolerance says what steady means over the last Over of wall time.
type Tolerance struct {
	Availability Ratio    `yaml:"availability" json:"availability"`
	P99          Duration `yaml:"p99,omitempty" json:"p99,omitempty"`
	Over         Duration `yaml:"over" json:"over"`
}

// Ledger is a stream of numbered writes that are read back afterwards.
type Ledger struct {
	Name  string   `yaml:"name" json:"name"`
	HTTP  HTTP     `yaml:"http" json:"http"`
	Every Duration `yaml:"every" json:"every"`
	// Timeout of one attempt, default 1s; Attempts in all, default 3.
	Timeout  Duration `yaml:"timeout,omitempty" json:"timeout,omitempty"`
	Attempts int      `yaml:"attempts,omitempty" json:"attempts,omitempty"`
	Read     ReadBack `yaml:"read" json:"read"`
}

// ReadBack says where the numbers that a store holds are read: an HTTP GET
// whose body is one JSON array of numbers in stored order, repeats included.
type ReadBack struct {
	Active URLs            `yaml:"active" json:"active"`                   // the store that is active at the end
	Sites  map[string]URLs `yaml:"sites,omitempty" json:"sites,omitempty"` // every site's own disk
}

// Stage is one moment of the incident and the faults that begin then.
type Stage struct {
	Stage  string       `yaml:"stage" json:"stage"`
	At     Instant      `yaml:"at" json:"at"`
	Source string       `yaml:"source,omitempty" json:"source,omitempty"`
	Faults []StageFault `yaml:"faults" json:"faults"`
	// Unattended must be said by a stage that cuts its own control path.
	Unattended Duration `yaml:"unattended,omitempty" json:"unattended,omitempty"`
}

// StageFault is one fault on the hosts its selector picks. In the file the kind
// is the key: {partition: {…parameters…}, on: {…}, until: T+90m}.
type StageFault struct {
	Kind    string          `yaml:"-" json:"kind"`
	Params  json.RawMessage `yaml:"-" json:"params"`
	On      json.RawMessage `yaml:"on" json:"on"` // inventory selector
	Until   *Instant        `yaml:"until,omitempty" json:"until,omitempty"`
	For     Duration        `yaml:"for,omitempty" json:"for,omitempty"`         // wall time, instead of Until
	Restore []Restore       `yaml:"restore,omitempty" json:"restore,omitempty"` // powerloss only
	Require string          `yaml:"require,omitempty" json:"require,omitempty"` // exercised
}

// Restore gives power back to part of a fault's own target. Hosts names roles,
// services or hosts; Share counts hosts of the target: cumulative, nested,
// seeded, rounded half up, hosts already restored by name included.
type Restore struct {
	At     Instant  `yaml:"at" json:"at"`
	Hosts  []string `yaml:"hosts,omitempty" json:"hosts,omitempty"` // role or host names
	Share  Ratio    `yaml:"share,omitempty" json:"share,omitempty"`
	Source string   `yaml:"source,omitempty" json:"source,omitempty"`
}

// RunbookStep replays what people did by hand.
type RunbookStep struct {
	At     Instant `yaml:"at" json:"at"`
	Step   string  `yaml:"step" json:"step"`
	Source string  `yaml:"source,omitempty" json:"source,omitempty"`
	// Layouts limits the step to these layouts; empty: all that know the step.
	Layouts []string `yaml:"layouts,omitempty" json:"layouts,omitempty"`
}

// Limits bounds the blast radius; the plan refuses what exceeds it.
type Limits struct {
	Hosts int      `yaml:"hosts,omitempty" json:"hosts,omitempty"` // at most so many at once
	Share Ratio    `yaml:"share,omitempty" json:"share,omitempty"` // of all hosts
	Sites []string `yaml:"sites,omitempty" json:"sites,omitempty"` // only in these sites
}

// Expectation is judged on what happened between the first stage and the last
// revert. Exactly one of Probe and Ledger is set.
type Expectation struct {
	Probe  string `yaml:"probe,omitempty" json:"probe,omitempty"`
	Ledger string `yaml:"ledger,omitempty" json:"ledger,omitempty"`
	// Own limits the wall time software took by itself.
	Own *OwnLimit `yaml:"own,omitempty" json:"own,omitempty"`
	// Gated limits the incident time spent waiting for power or people.
	Gated        *GatedLimit `yaml:"gated,omitempty" json:"gated,omitempty"`
	Availability *Ratio      `yaml:"availability,omitempty" json:"availability,omitempty"` // at least
	Lost         *CountLimit `yaml:"lost,omitempty" json:"lost,omitempty"`
	Missing      *CountLimit `yaml:"missing,omitempty" json:"missing,omitempty"`
	Duplicated   *CountLimit `yaml:"duplicated,omitempty" json:"duplicated,omitempty"`
	Unaccounted  *CountLimit `yaml:"unaccounted,omitempty" json:"unaccounted,omitempty"`
	Reason       string      `yaml:"reason,omitempty" json:"reason,omitempty"`
}

// OwnLimit is a limit in wall time.
type OwnLimit struct {
	Max Duration `yaml:"max" json:"max"`
}

// GatedLimit is a limit in incident time.
type GatedLimit struct {
	MaxIncident IncidentDuration `yaml:"max_incident" json:"max_incident"`
}

// CountLimit is a limit on a number of writes.
type CountLimit struct {
	Max int `yaml:"max" json:"max"`
}

// Comparison puts what happened beside what was measured.
type Comparison struct {
	Probe            string           `yaml:"probe" json:"probe"`
	Name             string           `yaml:"name,omitempty" json:"name,omitempty"`
	HappenedIncident IncidentDuration `yaml:"happened_incident" json:"happened_incident"`
	Source           string           `yaml:"source" json:"source"`
}
