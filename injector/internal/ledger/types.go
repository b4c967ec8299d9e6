// Package ledger sends numbered writes, keeps what the service promised about
// each, and afterwards compares the promises with what its disks hold. The
// claim it checks is the only one that counts for data: what was acknowledged
// is still there.
package ledger

import (
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Spec is one stream of numbered writes.
type Spec struct {
	Name     string        `json:"name"`
	HTTP     probe.Request `json:"http"`
	Every    time.Duration `json:"every_ns"`
	Timeout  time.Duration `json:"timeout_ns"` // of one attempt
	Attempts int           `json:"attempts"`   // in all, each at the next URL
}

// State is what the writer knows of a write.
type State string

// The states of a write.
const (
	Acknowledged State = "acknowledged" // the service said it is stored
	Unknown      State = "unknown"      // sent, no word: it may or may not be stored
	Refused      State = "refused"      // never sent, or turned down: it should not be stored
)

// Write is one numbered write. Instants are CLOCK_BOOTTIME in nanoseconds.
type Write struct {
	Ledger   string        `json:"ledger"`
	N        int           `json:"n"` // 1, 2, 3, …
	Due      int64         `json:"due"`
	Start    int64         `json:"start"`
	Latency  time.Duration `json:"latency_ns"` // of all attempts
	State    State         `json:"state"`
	Class    probe.Class   `json:"class"` // of the last attempt
	Attempts int           `json:"attempts"`
}

// Copy is what was read back from one store: the numbers it holds in stored
// order, repeats included, or why it could not be read.
type Copy struct {
	Numbers []int  `json:"numbers"`
	Error   string `json:"error,omitempty"`
}

// Audit is what became of a ledger's writes. Every acknowledged number is
// counted exactly once in Kept, Elsewhere, Lost or Unaccounted.
type Audit struct {
	Name         string
	Sent         int // writes begun
	Acknowledged int
	Kept         int // acknowledged, in the active store
	Missing      int // acknowledged, not in the active store
	Elsewhere    int // of the missing, on another site's disk
	Lost         int // of the missing, nowhere, and every disk was read
	Unaccounted  int // of the missing, on no disk that could be read while another could not be
	Duplicated   int // numbers the active store returns more than once
	OutOfOrder   int // acknowledged numbers the active store returns after a higher one
	Unknown      int
	UnknownKept  int // unknown, found on some disk
	Refused      int
	RefusedKept  int            // refused, yet found on some disk
	Unexpected   int            // numbers found that were never sent
	ActiveUnread bool           // the active store could not be read: Missing, Duplicated and OutOfOrder say nothing
	Unreadable   []string       // what could not be read, and why
	Sites        map[string]int // distinct numbers on each site's disk
}
