package probe

import (
	"context"
	"sync/atomic"
)

// Sticky remembers which of a list of addresses answered last, so that the next
// request begins there and a dark first entry costs its time-out only once.
// The zero value begins at the first. It is safe for concurrent use.
type Sticky struct{ at atomic.Int64 }

// Index is where the next request begins.
func (s *Sticky) Index() int { return int(s.at.Load()) }

// Worked records the index of an address that answered.
func (s *Sticky) Worked(index int) { s.at.Store(int64(index)) }

// Try makes attempts at addresses 0 to n-1 until one is OK, the one that worked
// last first. It returns the last answer and how many were tried.
func (s *Sticky) Try(ctx context.Context, n int, attempt func(at int) Answer) (answer Answer, tries int) {
	from := s.Index()
	for tries < n && (tries == 0 || ctx.Err() == nil) {
		at := (from + tries) % n
		tries++
		if answer = attempt(at); answer.Class == OK {
			s.Worked(at)
			break
		}
	}
	return answer, tries
}
