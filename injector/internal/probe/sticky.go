package probe

import "sync/atomic"

// Sticky remembers which of a list of URLs answered last, so that the next
// request begins there and a dark first entry costs its time-out only once.
// The zero value begins at the first URL. It is safe for concurrent use.
type Sticky struct{ at atomic.Int64 }

// Index is where the next request begins.
func (s *Sticky) Index() int { return int(s.at.Load()) }

// Worked records the index of a URL that answered.
func (s *Sticky) Worked(index int) { s.at.Store(int64(index)) }
