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
	Name       string              `json:"experiment" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=datacenter-fire"`
	Title      string              `json:"title,omitempty"`
	Clock      Clock               `json:"clock,omitzero"`
	Seed       int64               `json:"seed"`
	Variables  map[string]Variable `json:"variables,omitempty"`
	Layouts    map[string]Layout   `json:"layouts,omitempty"` // run in file order: see LayoutOrder
	Hypothesis []Hypothesis        `json:"hypothesis" jsonschema:"minItems=1"`
	Ledger     []Ledger            `json:"ledger,omitempty"`
	Load       []Load              `json:"load,omitempty"`
	Stages     []Stage             `json:"stages" jsonschema:"minItems=1"`
	Runbook    []RunbookStep       `json:"runbook,omitempty"`
	Limits     Limits              `json:"limits,omitempty"`
	Stop       []Stop              `json:"stop,omitempty"`
	Expect     []Expectation       `json:"expect,omitempty"`
	Compare    []Comparison        `json:"compare,omitempty"`
	// LayoutOrder is the order of Layouts in the file.
	LayoutOrder []string `json:"-"`
	// Values holds what each variable is in this run: its default, or what was
	// given to Parse. Text, number, bool, or a list of these.
	Values map[string]any `json:"-"`
}

// Clock ties incident time to wall time. Pace says how much wall time passes up
// to each instant; incident time runs evenly between. The last instant ends the
// experiment's stages. Without Pace one minute of the incident takes one minute.
type Clock struct {
	Start time.Time `json:"start,omitempty" jsonschema:"title=a date and time,example=2022-10-15T15:19:00+09:00"` // of the incident, for the report's axis
	Pace  []Pace    `json:"pace,omitempty"`
}

// Pace is one stretch of the clock.
type Pace struct {
	To    Instant  `json:"to"`
	Takes Duration `json:"takes"`
}

// Variable is set by --var name=value and used as ${name}; a list stays a list.
type Variable struct {
	Default     any    `json:"default"`
	Description string `json:"description,omitempty"`
}

// Layout is one way the company might be built: a lab file and the predicted verdict.
type Layout struct {
	Lab     string     `json:"lab" jsonschema:"minLength=1,example=lab.yaml"` // path relative to the experiment file
	Predict Prediction `json:"predict,omitempty"`
}

// Prediction is what --as-predicted compares with.
type Prediction struct {
	Verdict string   `json:"verdict" jsonschema:"enum=held,enum=deviated,enum=inconclusive"` // held, deviated, inconclusive
	Fails   []string `json:"fails,omitempty"`                                                // <probe|ledger>.<field>
	Reason  string   `json:"reason,omitempty"`
}

// Hypothesis is one probe and the tolerance within which it is steady.
type Hypothesis struct {
	Probe     string    `json:"probe" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=text"`
	HTTP      *HTTP     `json:"http,omitempty"`
	TCP       *TCP      `json:"tcp,omitempty"`
	Every     Duration  `json:"every"`
	Timeout   Duration  `json:"timeout,omitempty"` // default 1s
	Tolerance Tolerance `json:"tolerance"`
}

// HTTP is one request. Exactly one of Get and Post is set. Several URLs are
// tried in order until one answers as expected (a client with a list of gateways).
type HTTP struct {
	Get    URLs   `json:"get,omitempty"`
	Post   URLs   `json:"post,omitempty"`
	Body   string `json:"body,omitempty"`                                          // ${n} is the number of the write
	Expect int    `json:"expect" jsonschema:"minimum=100,maximum=599,example=200"` // status code
}

// URLs is written as one string or a list.
type URLs []string

// TCP is one connect. Several addresses are tried in order until one takes it.
type TCP struct {
	Connect Addresses `json:"connect"`
}

// Addresses are host:port, written as one string or a list.
type Addresses []string

// Tolerance says what steady means over the last Over of wall time.
type Tolerance struct {
	Availability Ratio    `json:"availability"`
	P99          Duration `json:"p99,omitempty"`
	Over         Duration `json:"over"`
}

// Ledger is a stream of numbered writes that are read back afterwards.
type Ledger struct {
	Name  string   `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=talk"`
	HTTP  HTTP     `json:"http"`
	Every Duration `json:"every"`
	// Timeout of one attempt, default 1s; Attempts in all, default 3.
	Timeout  Duration `json:"timeout,omitempty"`
	Attempts int      `json:"attempts,omitempty" jsonschema:"minimum=1,maximum=10"`
	Read     ReadBack `json:"read"`
}

// ReadBack says where the numbers that a store holds are read: an HTTP GET
// whose body is one JSON array of numbers in stored order, repeats included.
type ReadBack struct {
	Active URLs            `json:"active"`          // the store that is active at the end
	Sites  map[string]URLs `json:"sites,omitempty"` // every site's own disk
}

// Stage is one moment of the incident and the faults that begin then. One
// without faults is told, by its note, and changes nothing.
type Stage struct {
	Stage  string  `json:"stage" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=building-cut"`
	At     Instant `json:"at"`
	Source string  `json:"source,omitempty"`
	// Note says in a sentence what happened, for the page.
	Note   string       `json:"note,omitempty"`
	Faults []StageFault `json:"faults,omitempty" jsonschema:"minItems=1"`
	// Unattended must be said by a stage that cuts its own control path.
	Unattended Duration `json:"unattended,omitempty"`
}

// StageFault is one fault on the hosts its selector picks. In the file the kind
// is the key: {partition: {…parameters…}, on: {…}, until: T+90m}.
type StageFault struct {
	Kind    string          `json:"-"`
	Params  json.RawMessage `json:"-"`
	On      Selector        `json:"on"`
	Until   *Instant        `json:"until,omitempty"`
	For     Duration        `json:"for,omitempty"`                                 // wall time, instead of Until
	Restore []Restore       `json:"restore,omitempty"`                             // powerloss only
	Require string          `json:"require,omitempty" jsonschema:"enum=exercised"` // exercised
	// Optional lets a run go on without the fault on a host whose kernel or control
	// groups lack what it needs.
	Optional bool `json:"optional,omitempty"`
}

// Restore gives power back to part of a fault's own target. Hosts names roles,
// services or hosts; Share counts hosts of the target: cumulative, nested,
// seeded, rounded half up, hosts already restored by name included.
type Restore struct {
	At     Instant  `json:"at"`
	Hosts  []string `json:"hosts,omitempty"` // role or host names
	Share  Ratio    `json:"share,omitempty"`
	Source string   `json:"source,omitempty"`
}

// RunbookStep replays what people did by hand.
type RunbookStep struct {
	At     Instant `json:"at"`
	Step   string  `json:"step"`
	Source string  `json:"source,omitempty"`
	// Layouts limits the step to these layouts; empty: all that know the step.
	Layouts []string `json:"layouts,omitempty"`
}

// Limits bounds the blast radius; the plan refuses what exceeds it.
type Limits struct {
	Hosts int      `json:"hosts,omitempty" jsonschema:"minimum=1"` // at most so many at once
	Share Ratio    `json:"share,omitempty"`                        // of all hosts
	Sites []string `json:"sites,omitempty"`                        // only in these sites
	// Missing is how many hosts may be unreachable: the run goes on without them.
	Missing int `json:"missing,omitempty" jsonschema:"minimum=0"`
}

// Stop halts the run, and reverts everything, once its condition has been true
// for so long. See package condition for the language.
type Stop struct {
	When string   `json:"when" jsonschema:"minLength=1,example=availability(\"text\") < 0.5"`
	For  Duration `json:"for,omitempty"` // wall time; default: at once
}

// Expectation is judged on what happened between the first stage and the last
// revert. Exactly one of Probe and Ledger is set.
type Expectation struct {
	Probe  string `json:"probe,omitempty"`
	Ledger string `json:"ledger,omitempty"`
	// Own limits the wall time software took by itself.
	Own *OwnLimit `json:"own,omitempty"`
	// Gated limits the incident time spent waiting for power or people.
	Gated        *GatedLimit `json:"gated,omitempty"`
	Availability *Ratio      `json:"availability,omitempty"` // at least
	Lost         *CountLimit `json:"lost,omitempty"`
	Missing      *CountLimit `json:"missing,omitempty"`
	Duplicated   *CountLimit `json:"duplicated,omitempty"`
	Unaccounted  *CountLimit `json:"unaccounted,omitempty"`
	Reason       string      `json:"reason,omitempty"`
}

// OwnLimit is a limit in wall time.
type OwnLimit struct {
	Max Duration `json:"max"`
}

// GatedLimit is a limit in incident time.
type GatedLimit struct {
	MaxIncident IncidentDuration `json:"max_incident"`
}

// CountLimit is a limit on a number of writes.
type CountLimit struct {
	Max int `json:"max" jsonschema:"minimum=0"`
}

// Comparison puts what happened beside what was measured.
type Comparison struct {
	Probe            string           `json:"probe" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=text"`
	Name             string           `json:"name,omitempty"`
	HappenedIncident IncidentDuration `json:"happened_incident"`
	Source           string           `json:"source"`
}
