package crowd

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Run is a crowd until ctx ends. It hands every Second to out, which must not
// block for long. start gives T0 in ns of CLOCK_BOOTTIME once it is known:
// until then nobody comes but the usual people. Requests that have begun
// are finished before Run returns.
func Run(ctx context.Context, spec Spec, clock probe.Clock, start <-chan int64, out func(Second)) {
	c := &crowd{spec: spec, tally: newTally(spec.Name, clock), connect: connect}
	c.run(ctx, start, out)
}

func (c *crowd) run(ctx context.Context, start <-chan int64, out func(Second)) {
	var people sync.WaitGroup
	for i := range c.spec.Users {
		people.Go(func() { c.regular(ctx, i) })
	}
	people.Go(func() {
		select {
		case <-ctx.Done():
		case t0 := <-start:
			c.surges(ctx, time.Duration(t0-c.tally.clock()))
		}
	})
	told, stop := context.WithCancel(context.WithoutCancel(ctx))
	var telling sync.WaitGroup
	telling.Go(func() { c.tally.tell(told, out) })
	people.Wait()
	stop()
	telling.Wait()
	out(c.tally.turn()) // what is left of the last second
}

type crowd struct {
	spec    Spec
	tally   *tally
	n       atomic.Int64 // requests so far
	connect func(timeout time.Duration, keep bool) client
}

// client is what a person's requests go through.
type client interface {
	Ask(ctx context.Context, r probe.Request, n int, first *probe.Sticky) (probe.Answer, int)
	Close()
}

func connect(timeout time.Duration, keep bool) client {
	if keep {
		return probe.NewUser(timeout)
	}
	return probe.NewSender(timeout)
}

// regular is one of the usual people: their client keeps its connection, and
// their first requests are spread over the time between two.
func (c *crowd) regular(ctx context.Context, i int) {
	rnd := c.chance(0, i)
	share := (float64(i) + rnd.Float64()) / float64(c.spec.Users)
	c.person(ctx, rnd, true, time.Duration(share*float64(c.spec.Every)))
}

// surges lets the extra people come, and go when their time is over. in is how
// far away T0 is.
func (c *crowd) surges(ctx context.Context, in time.Duration) {
	var people sync.WaitGroup
	defer people.Wait()
	for n, s := range c.spec.Surges {
		people.Go(func() {
			if !sleep(ctx, in+s.From) {
				return
			}
			ctx, leave := context.WithTimeout(ctx, s.For)
			defer leave()
			var extra sync.WaitGroup
			for i := range s.Extra {
				extra.Go(func() { c.person(ctx, c.chance(n+1, i), false, 0) })
			}
			extra.Wait()
		})
	}
}

// chance is one person's own source of chance: the same in every run of a seed.
func (c *crowd) chance(surge, i int) *rand.Rand {
	name := fnv.New64a()
	_, _ = name.Write([]byte(c.spec.Name))
	return rand.New(rand.NewPCG(uint64(c.spec.Seed)^name.Sum64(), uint64(surge)<<32|uint64(i)))
}

// person lives as one person whose first request is due in first; keep says that
// their client keeps its connections.
func (c *crowd) person(ctx context.Context, rnd *rand.Rand, keep bool, first time.Duration) {
	through := c.connect(c.spec.Timeout, keep)
	defer through.Close()
	finish := context.WithoutCancel(ctx) // what has begun is finished
	var home, rival probe.Sticky
	ask := func(r probe.Request, first *probe.Sticky) bool {
		answer, _ := through.Ask(finish, r, int(c.n.Add(1)), first)
		return answer.Class == probe.OK
	}
	p := &person{spec: &c.spec, rnd: rnd, tally: c.tally}
	p.home = func() bool { return c.tally.home(func() bool { return ask(c.spec.Home, &home) }) }
	p.rival = func() bool { return c.tally.rival(func() bool { return ask(c.spec.Rival.Request, &rival) }) }
	p.live(ctx, first)
}
