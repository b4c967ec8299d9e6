package crowd

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

const home, away = "home", "away"

// service is a home and a rival that answer, or not, in the bubble's time.
type service struct {
	mu    sync.Mutex
	begun time.Time
	down  func(at time.Duration) bool // home
	asked map[string][]time.Duration
	kept  int // clients that keep their connections
	all   int
}

func (s *service) Ask(_ context.Context, r probe.Request, _ int, _ *probe.Sticky) (probe.Answer, int) {
	s.mu.Lock()
	at := time.Since(s.begun)
	s.asked[r.URLs[0]] = append(s.asked[r.URLs[0]], at)
	s.mu.Unlock()
	time.Sleep(time.Millisecond)
	if r.URLs[0] == home && s.down != nil && s.down(at) {
		return probe.Answer{Class: probe.Refused}, 1
	}
	return probe.Answer{Class: probe.OK}, 1
}

func (s *service) Close() {}

func (s *service) connect(_ time.Duration, keep bool) client {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all++
	if keep {
		s.kept++
	}
	return s
}

func spec() Spec {
	return Spec{Name: "users", Home: probe.Request{URLs: []string{home}}, Users: 10, Every: 2 * time.Second, Seed: 1,
		Retry: Retry{First: 500 * time.Millisecond, Factor: 2, Max: 4 * time.Second, Jitter: 0.5},
		Rival: &Rival{Request: probe.Request{URLs: []string{away}}, After: 4 * time.Second, Look: 2 * time.Second}}
}

// crowded runs a crowd for so long in a bubble; T0 is its begin.
func crowded(t *testing.T, s Spec, sv *service, lasts time.Duration) (seconds []Second) {
	synctest.Test(t, func(t *testing.T) {
		sv.begun, sv.asked = time.Now(), map[string][]time.Duration{}
		clock := func() int64 { return time.Now().UnixNano() }
		ctx, cancel := context.WithTimeout(t.Context(), lasts)
		defer cancel()
		start := make(chan int64, 1)
		start <- clock()
		c := &crowd{spec: s, tally: newTally(s.Name, clock), connect: sv.connect}
		c.run(ctx, start, func(s Second) { seconds = append(seconds, s) })
	})
	return seconds
}

func sum(seconds []Second, of func(Second) int) (n int) {
	for _, s := range seconds {
		n += of(s)
	}
	return n
}

func requests(s Second) int { return s.Requests }

// People who are served ask evenly, and nobody looks elsewhere.
func TestAllIsWell(t *testing.T) {
	sv := &service{}
	got := crowded(t, spec(), sv, 20*time.Second+time.Second/2)
	if n := sum(got, requests); n < 95 || n > 105 || n != sum(got, func(s Second) int { return s.Answered }) {
		t.Errorf("%d requests in 20.5 s, want about 10 each 2 s, all answered", n)
	}
	for _, s := range got[:20] {
		if s.Requests < 3 || s.Requests > 7 || s.People != 10 || s.Moved != 0 || len(s.Latency) != s.Answered {
			t.Errorf("not even: %+v", s)
		}
	}
	if len(sv.asked[away]) != 0 || sv.kept != 10 || sv.all != 10 {
		t.Errorf("%d went to the rival, %d of %d keep connections", len(sv.asked[away]), sv.kept, sv.all)
	}
}

// The waits between tries grow to their limit, and chance takes away no more
// than its share. Without manners they stay as they are.
func TestRetry(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	r := spec().Retry
	for failures, full := range map[int]time.Duration{1: 500e6, 2: 1e9, 3: 2e9, 4: 4e9, 5: 4e9, 5000: 4e9} {
		least, most := full, time.Duration(0)
		for range 1000 {
			w := r.wait(failures, rnd)
			least, most = min(least, w), max(most, w)
		}
		if least < full/2 || most > full || least > full*55/100 || most < full*95/100 {
			t.Errorf("after %d failures %s to %s, want %s to %s", failures, least, most, full/2, full)
		}
	}
	rude := Retry{First: time.Second, Factor: 1, Max: time.Minute}
	if w := rude.wait(9, rnd); w != time.Second {
		t.Errorf("factor 1 and no jitter: %s", w)
	}
}

// One person's tries during an outage lie apart as the waits say.
func TestTriesInAnOutage(t *testing.T) {
	s := spec()
	s.Users, s.Rival, s.Retry.Jitter = 1, nil, 0
	sv := &service{down: func(at time.Duration) bool { return at < 10*time.Second }}
	crowded(t, s, sv, 18*time.Second)
	var gaps []time.Duration
	for i, at := range sv.asked[home][1:] {
		gaps = append(gaps, (at - sv.asked[home][i]).Round(100*time.Millisecond))
	}
	want := []time.Duration{500e6, 1e9, 2e9, 4e9, 4e9, 2e9, 2e9}
	if !slices.Equal(gaps[:7], want) {
		t.Errorf("waits %v, want %v", gaps, want)
	}
}

// A surge arrives at once, with connections of its own, and leaves; the twin
// without it stays even.
func TestSurge(t *testing.T) {
	for _, extra := range []int{0, 90} {
		s := spec()
		s.Surges = []Surge{{From: 5 * time.Second, For: 3 * time.Second, Extra: extra}}
		sv := &service{}
		got := crowded(t, s, sv, 12*time.Second)
		peak := slices.MaxFunc(got, func(a, b Second) int { return a.Requests - b.Requests })
		if (peak.Requests >= 90) != (extra > 0) {
			t.Errorf("%d extra: at most %d requests a second", extra, peak.Requests)
		}
		if got[6].People != 10+extra || got[9].People != 10 || sv.all-sv.kept != extra {
			t.Errorf("%d extra: %d people in it, %d after it, %d new connections", extra, got[6].People, got[9].People, sv.all-sv.kept)
		}
	}
}

// Without T0 no surge comes.
func TestSurgeWaitsForT0(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := spec()
		s.Surges = []Surge{{For: time.Second, Extra: 90}}
		sv := &service{begun: time.Now(), asked: map[string][]time.Duration{}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c := &crowd{spec: s, tally: newTally(s.Name, func() int64 { return time.Now().UnixNano() }), connect: sv.connect}
		c.run(ctx, make(chan int64), func(Second) {})
		if sv.all != 10 {
			t.Errorf("%d people without T0", sv.all)
		}
	})
}

// People move to the rival when nobody serves them, use it at their usual rate,
// and come back within a look once home answers. A short outage moves nobody.
func TestMovingAndComingBack(t *testing.T) {
	for _, lasts := range []time.Duration{2 * time.Second, 20 * time.Second} {
		sv := &service{down: func(at time.Duration) bool { return at > 10*time.Second && at < 10*time.Second+lasts }}
		got := crowded(t, spec(), sv, 50*time.Second)
		most := slices.MaxFunc(got, func(a, b Second) int { return a.Moved - b.Moved })
		if lasts == 2*time.Second {
			if most.Moved != 0 || len(sv.asked[away]) != 0 {
				t.Errorf("%d moved in an outage of 2 s", most.Moved)
			}
			continue
		}
		if most.Moved != 10 {
			t.Errorf("at most %d of 10 moved", most.Moved)
		}
		if got[12].Moved != 0 || got[28].Moved != 10 || got[32].Moved != 0 {
			t.Errorf("moved %d at 13 s, %d at 29 s, %d at 33 s", got[12].Moved, got[28].Moved, got[32].Moved)
		}
		if n := sum(got[18:28], func(s Second) int { return s.RivalAnswered }); n < 45 || n > 55 {
			t.Errorf("%d answers of the rival in 10 s, want about 50", n)
		}
		if n := sum(got[34:44], requests); n < 45 || n > 55 {
			t.Errorf("%d requests at home in 10 s after the outage, want about 50", n)
		}
	}
}

// The same seed gives the same people; another one gives others.
func TestSameSeed(t *testing.T) {
	run := func(seed int64) []time.Duration {
		s := spec()
		s.Seed = seed
		sv := &service{down: func(at time.Duration) bool { return at > 3*time.Second }}
		crowded(t, s, sv, 10*time.Second)
		slices.Sort(sv.asked[home])
		return sv.asked[home]
	}
	if a, b := run(7), run(7); !slices.Equal(a, b) {
		t.Errorf("two runs of one seed:\n%v\n%v", a, b)
	}
	if slices.Equal(run(7), run(8)) {
		t.Error("another seed, the same people")
	}
}
