// Package crowd is the people who use a service: a few that are always there,
// many more for a while when something happens, all with a client that tries
// again as real ones do, and with a rival to go to when nobody serves them.
//
// A crowd is load and judges nothing. Each person waits for an answer before the
// next request, so that an outage makes a crowd wait and its end makes it come
// back together: the herd.
package crowd

import (
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Spec is one crowd.
type Spec struct {
	Name    string        `json:"name"`
	Home    probe.Request `json:"home"` // the service; ${n} is a number of its own for each request
	Users   int           `json:"users"`
	Every   time.Duration `json:"every_ns"`   // between two requests of one person, when all is well
	Timeout time.Duration `json:"timeout_ns"` // of one attempt at one URL
	Retry   Retry         `json:"retry"`
	Surges  []Surge       `json:"surges,omitempty"`
	Rival   *Rival        `json:"rival,omitempty"`
	Seed    int64         `json:"seed"` // of all waits
}

// Retry is how long a client waits after failures in a row.
type Retry struct {
	First  time.Duration `json:"first_ns"`
	Factor float64       `json:"factor"` // at least 1
	Max    time.Duration `json:"max_ns"`
	Jitter float64       `json:"jitter"` // 0 to 1: the share of a wait that chance may take away
}

// Surge is Extra people who come at once and stay For. They are new: each of
// their attempts makes a connection of its own.
type Surge struct {
	From  time.Duration `json:"from_ns"` // wall time from T0
	For   time.Duration `json:"for_ns"`
	Extra int           `json:"extra"`
}

// Rival is where people go that were not served for After; from there they look
// home every Look.
type Rival struct {
	Request probe.Request `json:"request"`
	After   time.Duration `json:"after_ns"`
	Look    time.Duration `json:"look_ns"`
}

// Second is what a crowd did in one second. A request counts when it is begun
// and an answer when it comes, so that a second may have more answers than
// requests. A request is one try of one person at all URLs.
type Second struct {
	Load          string          `json:"load"`
	From          int64           `json:"from"` // CLOCK_BOOTTIME in ns
	People        int             `json:"people"`
	Requests      int             `json:"requests"` // at home
	Answered      int             `json:"answered"` // at home, as expected
	RivalRequests int             `json:"rival_requests,omitempty"`
	RivalAnswered int             `json:"rival_answered,omitempty"`
	Moved         int             `json:"moved,omitempty"`        // people at the rival when the second ends
	Latency       []time.Duration `json:"latencies_ns,omitempty"` // of the answers at home
}
