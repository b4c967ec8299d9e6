package delay

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// within is how far the median may be off what was asked.
const within = 2 * time.Millisecond

// datagrams is how many a median is of.
const datagrams = 40

var everybody = []string{traffictest.AddrB, traffictest.AddrB6}

// ways are how the delay is made on this kernel: netem where it has it, and the
// delay line of our own always.
func ways(t *testing.T) map[string]bool {
	t.Helper()
	both := map[string]bool{"relay": true}
	err := traffic.Probe(Change{Latency: time.Millisecond}.line(&netlink.Dummy{}))
	switch {
	case err == nil:
		both["netem"] = false
	case !errors.Is(err, fault.ErrUnsupported):
		t.Fatal(err)
	default:
		t.Logf("not run: %v", err)
	}
	return both
}

func median(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[len(d)/2]
}

// longer is the median of latencies less that without the fault, same run.
func longer(t *testing.T, from, at *netns.NS, to string, without time.Duration) time.Duration {
	t.Helper()
	return median(traffictest.Latencies(t, from, at, to, datagrams)) - without
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

// Packets take so much longer as was asked, in each direction and both families,
// and after revert as long as before. The delay line of our own has to be as
// accurate where it is used: it is quick enough for that on a real machine, not on
// the emulated one that has netem.
func TestLatencyIsAccurate(t *testing.T) {
	both := ways(t)
	if _, ok := both["netem"]; ok {
		delete(both, "relay")
	}
	for name, noNetem := range both {
		w := traffictest.New(t)
		for _, c := range []struct {
			direction string
			from, at  *netns.NS
			to        string
		}{
			{"out", w.A, w.B, traffictest.AddrB},
			{"out", w.A, w.B, traffictest.AddrB6},
			{"in", w.B, w.A, traffictest.AddrA},
			{"in", w.B, w.A, traffictest.AddrA6},
			{"both", w.A, w.B, traffictest.AddrB},
			{"both", w.B, w.A, traffictest.AddrA6},
		} {
			t.Run(fmt.Sprintf("%s %s to %s", name, c.direction, c.to), func(t *testing.T) {
				found := w.Snapshot(t)
				p := &Plugin{noNetem: noNetem}
				without := median(traffictest.Latencies(t, c.from, c.at, c.to, datagrams))
				change := traffictest.Inject(t, w, p, Params{Latency: "50ms", Selection: traffic.Selection{To: everybody, Direction: c.direction}})
				got := longer(t, c.from, c.at, c.to, without)
				o := traffictest.Observe(t, w, p, change)
				traffictest.Revert(t, w, &Plugin{}, change)
				t.Logf("asked 50ms, packets take %v longer than %v; %+v; %s", got, without, o.Achieved, o.Detail)
				faulttest.Measured(t, faulttest.Measurement{
					Fault: Kind, What: fmt.Sprintf("by %s, median of %d datagrams less that without, %s, %s", name, datagrams, c.direction, traffictest.Family(c.to)), Asked: 50, Achieved: millis(got), Unit: "ms",
					Within: millis(within), Found: found, Left: w.Snapshot(t),
				})
				if o.State != fault.Present || o.Dose != fault.Exercised {
					t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
				}
				if m := o.Achieved[0]; c.direction != "in" && (m.Name != "latency" || m.Value < 48 || m.Value > 52) {
					t.Errorf("the plugin's own meter says %+v", m)
				}
				if after := longer(t, c.from, c.at, c.to, without); after > within {
					t.Errorf("after revert packets still take %v longer", after)
				}
			})
		}
	}
}

// The meter times a canary that was alone on its way: beside those of somebody else
// who observes it takes another one, and never calls a packet early.
func TestLatencyIsOfOneCanary(t *testing.T) {
	w := traffictest.New(t)
	p := &Plugin{noNetem: true}
	change := traffictest.Inject(t, w, p, Params{Latency: "50ms", Selection: traffic.Selection{To: everybody}})
	s, err := traffic.Reopen(w.Target, change.Change)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.Unlock() // for the other one
	other, err := traffic.Reopen(w.Target, change.Change)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.Unlock()
	for range 5 {
		sent := make(chan int)
		go func() {
			time.Sleep(10 * time.Millisecond)
			sent <- other.SendCanaries(change.Change, 1)
		}()
		got, err := s.Latency(change.Change, 200*time.Millisecond)
		if n := <-sent; err != nil || n == 0 {
			t.Fatalf("%v; the other one sent %d canaries", err, n)
		}
		if got < 50*time.Millisecond {
			t.Errorf("a canary was on its way for %v, asked 50ms", got)
		}
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// The twin: with everything in place but the effect, the same check finds nothing
// longer, and Observe does not claim so.
func TestWithoutEffectNothingTakesLonger(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		p := &Plugin{noNetem: noNetem, Injector: traffic.Injector{Inert: true}}
		without := median(traffictest.Latencies(t, w.A, w.B, traffictest.AddrB, 25))
		change := traffictest.Inject(t, w, p, Params{Latency: "50ms", Selection: traffic.Selection{To: everybody}})
		if got := longer(t, w.A, w.B, traffictest.AddrB, without); (got - 50*time.Millisecond).Abs() <= within {
			t.Errorf("%s: packets take %v longer without effect", name, got)
		}
		if o := traffictest.Observe(t, w, p, change); o.Dose != fault.NotInForce {
			t.Errorf("%s: dose %q without effect", name, o.Dose)
		}
		traffictest.Revert(t, w, &Plugin{}, change)
	}
}

// Latencies spread over twice the jitter, evenly around the latency.
func TestJitter(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		p := &Plugin{noNetem: noNetem}
		change := traffictest.Inject(t, w, p, Params{Latency: "20ms", Jitter: "10ms", Selection: traffic.Selection{To: everybody, Direction: "out"}})
		took := traffictest.Latencies(t, w.A, w.B, traffictest.AddrB, 60)
		traffictest.Revert(t, w, &Plugin{}, change)
		low, mid, high := took[3], median(took), took[len(took)-4]
		t.Logf("%s: %v, %v, %v", name, low, mid, high)
		if low < 10*time.Millisecond || low > 15*time.Millisecond || mid < 16*time.Millisecond || mid > 24*time.Millisecond || high < 25*time.Millisecond {
			t.Errorf("%s: the 4th shortest takes %v, the median %v, the 4th longest %v", name, low, mid, high)
		}
	}
}

// A stream gets through a delay, whole segments and all, in each direction.
func TestStreamGetsThrough(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		for _, direction := range []string{"out", "in"} {
			p := &Plugin{noNetem: noNetem}
			change := traffictest.Inject(t, w, p, Params{Latency: "5ms", Selection: traffic.Selection{To: everybody, Direction: direction}})
			out := traffictest.Goodput(t, w.A, w.B, traffictest.AddrB, time.Second) / 1e6
			in := traffictest.Goodput(t, w.B, w.A, traffictest.AddrA6, time.Second) / 1e6
			traffictest.Revert(t, w, &Plugin{}, change)
			t.Logf("%s, delayed %s: %.0f Mbit/s out, %.0f Mbit/s in", name, direction, out, in)
			if out < 20 || in < 20 {
				t.Errorf("%s, delayed %s: %.1f Mbit/s out, %.1f Mbit/s in", name, direction, out, in)
			}
		}
	}
}

// The process of the delay line is gone: packets go their own way soon, and the
// next process does not claim otherwise. It may be reverted as ever.
func TestRelayDiesOpen(t *testing.T) {
	w := traffictest.New(t)
	before := w.Snapshot(t)
	p := &Plugin{noNetem: true}
	change := traffictest.Inject(t, w, p, Params{Latency: "50ms", Selection: traffic.Selection{To: everybody, Direction: "out"}})
	if got := median(traffictest.Latencies(t, w.A, w.B, traffictest.AddrB, 5)); got < 45*time.Millisecond {
		t.Errorf("a packet takes %v", got)
	}
	p.relays.lines[change.Owner].until.Store(1) // as good as dead
	time.Sleep(400 * time.Millisecond)
	if got := median(traffictest.Latencies(t, w.A, w.B, traffictest.AddrB, 5)); got == 0 || got > 20*time.Millisecond {
		t.Errorf("without the relay a packet takes %v", got)
	}
	if o := traffictest.Observe(t, w, &Plugin{}, change); o.State != fault.Present || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
	if d := cmp.Diff(before, w.Snapshot(t)); d != "" {
		t.Error(d)
	}
}

// The user's marks come back from the delay line.
func TestMarksAreLeft(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		p := &Plugin{noNetem: noNetem}
		change := traffictest.Inject(t, w, p, Params{Latency: "5ms", Selection: traffic.Selection{To: everybody, Direction: "out"}})
		seen := w.CountMarked(t, 77, func() {
			traffictest.SendMarked(t, w.A, traffictest.AddrB, 50, 77)
			time.Sleep(100 * time.Millisecond)
		})
		traffictest.Revert(t, w, &Plugin{}, change)
		if seen != 50 {
			t.Errorf("%s: %d of 50 packets left with their mark", name, seen)
		}
	}
}
