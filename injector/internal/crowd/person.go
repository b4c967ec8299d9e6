package crowd

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// person is one user and their client.
type person struct {
	spec  *Spec
	rnd   *rand.Rand
	tally *tally
	home  func() bool // one try at home; true: answered as expected
	rival func() bool // one try at the rival
}

// live goes on until ctx ends; a request that has begun is finished. first is
// when the first request is due.
func (p *person) live(ctx context.Context, first time.Duration) {
	p.tally.came(1)
	defer p.tally.came(-1)
	for wait := first; sleep(ctx, wait); {
		began := time.Now()
		if p.home() {
			wait = p.spec.Every
			continue
		}
		if !p.insist(ctx, began) && !p.away(ctx) {
			return
		}
		wait = p.spec.Every
	}
}

// insist tries again until there is an answer, and gives up when there was none
// for as long as the person bears with. It returns whether there was an answer.
func (p *person) insist(ctx context.Context, since time.Time) bool {
	for failures := 1; ; failures++ {
		wait, rival := p.spec.Retry.wait(failures, p.rnd), p.spec.Rival
		if rival != nil {
			left := rival.After - time.Since(since)
			if left <= wait {
				sleep(ctx, left)
				return false
			}
		}
		if !sleep(ctx, wait) {
			return false
		}
		if p.home() {
			return true
		}
	}
}

// away uses the rival until home answers a look, and returns whether it did. The
// looks go on beside the rival's use: a dark home must not slow that down.
func (p *person) away(ctx context.Context) bool {
	if p.spec.Rival == nil || ctx.Err() != nil {
		return false
	}
	p.tally.moved(1)
	defer p.tally.moved(-1)
	there, back := context.WithCancel(ctx)
	defer back()
	answered := false
	var looking sync.WaitGroup
	looking.Go(func() {
		defer back()
		for !answered && sleep(ctx, p.spec.Rival.Look) {
			answered = p.home()
		}
	})
	failures := 0
	for wait := time.Duration(0); sleep(there, wait); {
		if p.rival() {
			wait, failures = p.spec.Every, 0
			continue
		}
		failures++
		wait = p.spec.Retry.wait(failures, p.rnd)
	}
	looking.Wait()
	return answered
}

// sleep returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
