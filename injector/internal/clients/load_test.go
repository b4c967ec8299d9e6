package clients_test

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
)

// A load goes through the socket second by second, its surge waits for T0, its
// people move and come back, and the probe beside it stays what it was.
func TestLoadOverTheSocket(t *testing.T) {
	s, rival := newService(t), newService(t)
	exp := experiment(s.URL)
	tick := experiments.Duration(20 * time.Millisecond)
	none := experiments.Ratio(0)
	exp.Load = []experiments.Load{{
		Load: "users", Users: 3, Every: tick, HTTP: experiments.HTTP{Post: experiments.URLs{s.URL}, Body: "load ${n}", Expect: 201},
		Retry:  experiments.Retry{First: tick, Factor: 1, Max: tick, Jitter: &none},
		Surges: []experiments.Surge{{For: experiments.Duration(time.Second), Times: 4}},
		Rival:  &experiments.Rival{HTTP: experiments.HTTP{Post: experiments.URLs{rival.URL}, Body: "${n}", Expect: 201}, After: 5 * tick, Look: 5 * tick},
	}}
	c := start(t, exp, nil)
	people := func(want func(crowd.Second) bool) func() bool {
		return func() bool {
			all := c.Seconds("users")
			return len(all) > 0 && want(all[len(all)-1])
		}
	}
	eventually(t, "usual people are served", people(func(s crowd.Second) bool { return s.People == 3 && s.Answered > 0 && len(s.Latency) == s.Answered }))
	if err := c.Begin(t.Context(), clock()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a surge", func() bool {
		all := c.Seconds("users")
		return all[len(all)-1].People == 12
	})
	eventually(t, "the surge's end", people(func(s crowd.Second) bool { return s.People == 3 }))
	s.down.Store(true)
	eventually(t, "all have moved", people(func(s crowd.Second) bool { return s.Moved == 3 && s.RivalAnswered > 0 }))
	s.down.Store(false)
	eventually(t, "all are back", people(func(s crowd.Second) bool { return s.Moved == 0 && s.Answered > 0 }))
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := len(c.Seconds("users"))
	time.Sleep(1100 * time.Millisecond)
	if len(c.Seconds("users")) != n {
		t.Error("the load went on after it was stopped")
	}
}
