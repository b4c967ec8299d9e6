package clients

import (
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// verb is what the runner asks for.
type verb string

const (
	startAll verb = "start"
	begin    verb = "begin" // the incident's clock starts at T0
	stopAll  verb = "stop"  // answered when the last request has ended
	fetch    verb = "fetch" // GET the URLs in order until one answers 200
)

// command is one line from the runner.
type command struct {
	ID     int      `json:"id"`
	Verb   verb     `json:"verb"`
	Config *Config  `json:"config,omitempty"` // of start
	URLs   []string `json:"urls,omitempty"`   // of fetch
	T0     int64    `json:"t0,omitempty"`     // of begin, CLOCK_BOOTTIME in ns
}

// line is one line to the runner; exactly one field is set.
type line struct {
	Sample *probe.Sample `json:"sample,omitempty"`
	Write  *ledger.Write `json:"write,omitempty"`
	Second *crowd.Second `json:"second,omitempty"`
	Late   *probe.Window `json:"late,omitempty"`
	Reply  *reply        `json:"reply,omitempty"`
}

type reply struct {
	ID    int    `json:"id"`
	Body  string `json:"body,omitempty"`
	Error string `json:"error,omitempty"`
}
