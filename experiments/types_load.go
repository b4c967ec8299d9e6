package experiments

import "math"

// Load is people who use the service and are not judged: each sends a request,
// waits, sends the next, tries again as their client does when none comes
// through, and in the end goes to a rival.
type Load struct {
	Load    string   `json:"load" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,title=a name of small letters and digits and -,example=users"`
	HTTP    HTTP     `json:"http"` // ${n} is a number of its own for each request
	Users   int      `json:"users" jsonschema:"minimum=1,maximum=10000"`
	Every   Duration `json:"every"`             // between two requests of one person, when all is well
	Timeout Duration `json:"timeout,omitempty"` // of one attempt, default 1s
	Retry   Retry    `json:"retry,omitzero"`
	Surges  []Surge  `json:"surges,omitempty"`
	Rival   *Rival   `json:"rival,omitempty"`
}

// Retry is how long a person's client waits after failures in a row: First,
// First times Factor, and so on up to Max, each between 1-Jitter and 1 times that.
type Retry struct {
	First  Duration `json:"first,omitempty"`                                     // default 500ms
	Factor float64  `json:"factor,omitempty" jsonschema:"minimum=1,maximum=100"` // default 2
	Max    Duration `json:"max,omitempty"`                                       // default 30s
	Jitter *Ratio   `json:"jitter,omitempty"`                                    // default 50%
}

// Surge is more people than usual: Times as many in all, who arrive at once and
// leave after For.
type Surge struct {
	At     Instant  `json:"at"`
	For    Duration `json:"for"` // wall time
	Times  float64  `json:"times" jsonschema:"exclusiveMinimum=1,maximum=1000"`
	Source string   `json:"source,omitempty"`
}

// Rival is where people go that have not been served for After, of wall time;
// from there they look home every Look, and an answer brings them back.
type Rival struct {
	HTTP  HTTP     `json:"http"`
	After Duration `json:"after"`
	Look  Duration `json:"look"`
}

// maxPeople is how many people one load may have at once: more would measure the
// clients' own machine.
const maxPeople = 10000

// Defaults of a client that tries again: exponential backoff that starts where
// Google's HTTP clients do, doubles, is truncated, and has the "equal jitter" of
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
const (
	defaultRetryFirst  = Duration(500e6)
	defaultRetryFactor = 2
	defaultRetryMax    = Duration(30e9)
	defaultRetryJitter = Ratio(0.5)
)

func (l *Load) setDefaults() {
	if l.Timeout == 0 {
		l.Timeout = defaultTimeout
	}
	r := &l.Retry
	if r.First == 0 {
		r.First = defaultRetryFirst
	}
	if r.Factor == 0 {
		r.Factor = defaultRetryFactor
	}
	if r.Max == 0 {
		r.Max = max(defaultRetryMax, r.First)
	}
	if r.Jitter == nil {
		jitter := defaultRetryJitter
		r.Jitter = &jitter
	}
}

// Extra is how many people a surge adds to so many users.
func (s Surge) Extra(users int) int { return int(math.Round((s.Times - 1) * float64(users))) }
