// Package plan folds an experiment and an inventory into what will happen: one
// timeline of injections on hosts. It is pure: no clock, no I/O, no randomness
// but the recorded seed. The same seed gives the same plan and the same digest.
package plan

import (
	"encoding/json"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Plan is what will happen in one layout.
type Plan struct {
	Experiment string      `json:"experiment"`
	Layout     string      `json:"layout"`
	Seed       int64       `json:"seed"`
	Pace       []Stretch   `json:"pace"`
	Stages     []Stage     `json:"stages"`
	Injections []Injection `json:"injections"` // sorted by From, then host, then kind
	Runbook    []Step      `json:"runbook"`
	Loads      []Load      `json:"loads,omitempty"`
	// End is when the clock's last stretch ends, in wall time from T0.
	End time.Duration `json:"end"`
}

// Stretch is one piece of the clock: incident time (From, To] in wall time (Start, End].
type Stretch struct {
	From  experiments.Instant `json:"from"`
	To    experiments.Instant `json:"to"`
	Start time.Duration       `json:"start"`
	End   time.Duration       `json:"end"`
}

// Stage is one stage with its blast radius.
type Stage struct {
	Name   string              `json:"name"`
	At     experiments.Instant `json:"at"`
	Wall   time.Duration       `json:"wall"` // from T0
	Source string              `json:"source,omitempty"`
	Note   string              `json:"note,omitempty"`
	// Blast is how many hosts of each domain the stage's faults hit: "all",
	// "site:pangyo", "rack:p-1", "power:ups-a1".
	Blast    []Blast  `json:"blast"`
	Destroys []string `json:"destroys,omitempty"` // e.g. "unsynced data on p1"
	// CutsControl names hosts whose own agent the stage cuts off.
	CutsControl []string            `json:"cuts_control,omitempty"`
	Unattended  time.Duration       `json:"unattended,omitempty"`
	Injections  []fault.InjectionID `json:"injections"`
}

// Blast is hit of all hosts of one domain.
type Blast struct {
	Domain string `json:"domain"`
	Hit    int    `json:"hit"`
	Of     int    `json:"of"`
}

// Injection is one fault on one host from one instant to another.
type Injection struct {
	ID        fault.InjectionID   `json:"id"` // <stage>/<kind>/<host>[#n]
	Stage     string              `json:"stage"`
	Kind      fault.Kind          `json:"kind"`
	Host      string              `json:"host"`
	OutOfBand bool                `json:"out_of_band,omitempty"`
	HostStays bool                `json:"host_stays,omitempty"` // of a powerloss: the host and its agent run on
	Params    json.RawMessage     `json:"params"`
	From      experiments.Instant `json:"from"`
	Until     experiments.Instant `json:"until"`
	Start     time.Duration       `json:"start"` // wall time from T0
	End       time.Duration       `json:"end"`
	Require   string              `json:"require,omitempty"`
	// Optional says that the run goes on without it on a host that cannot do it.
	Optional bool `json:"optional,omitempty"`
	// Restore names the restore step that ends it, for the report.
	Restore string `json:"restore,omitempty"`
}

// Step is a runbook step of this layout.
type Step struct {
	Name   string              `json:"name"`
	At     experiments.Instant `json:"at"`
	Wall   time.Duration       `json:"wall"`
	Source string              `json:"source,omitempty"`
}

// Load is people who use the service and are not judged.
type Load struct {
	Name   string        `json:"name"`
	Users  int           `json:"users"`
	Every  time.Duration `json:"every"`           // between two requests of one person
	After  time.Duration `json:"after,omitempty"` // without service, until a person goes to the rival; 0: there is none
	Surges []Surge       `json:"surges,omitempty"`
}

// Surge is Extra people more than usual.
type Surge struct {
	At     experiments.Instant `json:"at"`
	Wall   time.Duration       `json:"wall"` // from T0
	For    time.Duration       `json:"for"`
	Times  float64             `json:"times"`
	Extra  int                 `json:"extra"`
	Source string              `json:"source,omitempty"`
}
