// Package probe asks a service, at a steady rate that never waits for the
// answer, whether it still serves. One Sample is one request of one user.
//
// The rate is an open loop: a request is sent when it is due, however many
// earlier ones still hang, because a closed loop falls silent exactly when the
// service does. What the client itself did late is recorded as a late Window
// and is never counted against the service.
package probe

import "time"

// Spec is one probe.
type Spec struct {
	Name    string        `json:"name"`
	HTTP    *Request      `json:"http,omitempty"`
	TCP     []string      `json:"tcp,omitempty"` // host:port each, tried in order, instead of HTTP
	Every   time.Duration `json:"every_ns"`
	Timeout time.Duration `json:"timeout_ns"` // of one attempt
}

// Addresses is how many are tried in one request at most.
func (s Spec) Addresses() int {
	if s.HTTP != nil {
		return max(len(s.HTTP.URLs), 1)
	}
	return max(len(s.TCP), 1)
}

// Request is one HTTP request. The URLs are tried in order until one answers
// with the status Expect, as a client does that knows a list of gateways.
type Request struct {
	Method string   `json:"method"`
	URLs   []string `json:"urls"`
	Body   string   `json:"body,omitempty"` // ${n} is the number of the request
	Expect int      `json:"expect"`
}

// Class says how a request ended.
type Class string

// The classes of answers.
const (
	OK          Class = "ok"
	BadStatus   Class = "status"       // answered, with another status than expected
	DialTimeout Class = "dial-timeout" // no connection in time: nothing was sent
	Refused     Class = "refused"      // the peer refused the connection: nothing was sent
	Unreachable Class = "unreachable"  // no route, or no such name: nothing was sent
	Timeout     Class = "timeout"      // sent, no answer in time
	Reset       Class = "reset"        // sent, the connection broke
	Saturated   Class = "saturated"    // the client had too many requests open: not sent, counts as late
)

// Sample is what became of one request. Instants are CLOCK_BOOTTIME in
// nanoseconds, so that they compare with those of the host agents.
type Sample struct {
	Probe   string        `json:"probe"`
	Due     int64         `json:"due"`   // when it should have been sent
	Start   int64         `json:"start"` // when it was sent
	Latency time.Duration `json:"latency_ns"`
	OK      bool          `json:"ok"`
	Class   Class         `json:"class"`
	Status  int           `json:"status,omitempty"` // of the last answer
	Tries   int           `json:"tries,omitempty"`  // addresses tried
}

// End is when the answer, or the last time-out, came.
func (s Sample) End() int64 { return s.Start + int64(s.Latency) }

// Window is a stretch [From, To) of CLOCK_BOOTTIME in nanoseconds.
type Window struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Late says whether the client's own lateness makes the sample worthless: it was
// due in a late window, or it failed and its end was noticed in one.
func (s Sample) Late(windows []Window) bool {
	if s.Class == Saturated || within(s.Due, windows) {
		return true
	}
	return !s.OK && within(s.End(), windows)
}

// within expects windows sorted and apart, as Merge returns them.
func within(at int64, windows []Window) bool {
	lo, hi := 0, len(windows)
	for lo < hi {
		mid := (lo + hi) / 2
		if windows[mid].To <= at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(windows) && windows[lo].From <= at
}
