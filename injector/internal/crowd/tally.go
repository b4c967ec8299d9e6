package crowd

import (
	"context"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// tally counts what a crowd does, second by second.
type tally struct {
	clock probe.Clock

	mu     sync.Mutex
	now    Second
	people int
	away   int
}

func newTally(name string, clock probe.Clock) *tally {
	return &tally{clock: clock, now: Second{Load: name, From: clock()}}
}

func (t *tally) came(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.people += n
}

func (t *tally) moved(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away += n
}

// home counts one try at home.
func (t *tally) home(try func() bool) bool {
	t.count(func(s *Second) { s.Requests++ })
	began := t.clock()
	ok := try()
	if took := time.Duration(t.clock() - began); ok {
		t.count(func(s *Second) { s.Answered++; s.Latency = append(s.Latency, took) })
	}
	return ok
}

// rival counts one try at the rival.
func (t *tally) rival(try func() bool) bool {
	t.count(func(s *Second) { s.RivalRequests++ })
	ok := try()
	if ok {
		t.count(func(s *Second) { s.RivalAnswered++ })
	}
	return ok
}

func (t *tally) count(change func(*Second)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
}

// turn ends a second and returns it.
func (t *tally) turn() Second {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.now
	s.People, s.Moved = t.people, t.away
	t.now = Second{Load: s.Load, From: t.clock()}
	return s
}

// tell hands out every second until ctx ends.
func (t *tally) tell(ctx context.Context, out func(Second)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			out(t.turn())
		}
	}
}
