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
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// within is how far the median may be off what was asked, for each direction.
const within = 2 * time.Millisecond

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

// longer is the median of round trips less that without the fault, same run. It
// is measured up to three times, until it is not more than asked: on a machine
// that is too busy for a moment the test's own ends wait as well.
func longer(t *testing.T, from, at *netns.NS, to string, without, asked time.Duration) (got time.Duration) {
	t.Helper()
	for range 3 {
		if got = median(traffictest.RoundTrips(t, from, at, to, 15)) - without; got <= asked+within {
			break
		}
		t.Logf("got %v; once more, as the machine may be busy", got)
	}
	return got
}

// A round trip takes so much longer as was asked, in each direction and both
// families, and after revert as long as before.
func TestLatencyIsAccurate(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		for _, c := range []struct {
			direction, to string
			asked         time.Duration
		}{
			{"out", traffictest.AddrB, 50 * time.Millisecond},
			{"out", traffictest.AddrB6, 50 * time.Millisecond},
			{"in", traffictest.AddrB, 50 * time.Millisecond},
			{"in", traffictest.AddrB6, 50 * time.Millisecond},
			{"both", traffictest.AddrB, 100 * time.Millisecond}, // there and back
		} {
			t.Run(fmt.Sprintf("%s %s to %s", name, c.direction, c.to), func(t *testing.T) {
				p := &Plugin{noNetem: noNetem}
				without := median(traffictest.RoundTrips(t, w.A, w.B, c.to, 25))
				change := traffictest.Inject(t, w, p, Params{Latency: "50ms", Selection: traffic.Selection{To: everybody, Direction: c.direction}})
				got := longer(t, w.A, w.B, c.to, without, c.asked)
				o := traffictest.Observe(t, w, p, change)
				traffictest.Revert(t, w, &Plugin{}, change)
				t.Logf("asked %v, round trips take %v longer; %+v; %s", c.asked, got, o.Achieved, o.Detail)
				if (got - c.asked).Abs() > within*(c.asked/(50*time.Millisecond)) {
					t.Errorf("round trips take %v longer, want %v", got, c.asked)
				}
				if o.State != fault.Present || o.Dose != fault.Exercised {
					t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
				}
				if m := o.Achieved[0]; c.direction != "in" && (m.Name != "latency" || m.Value < 48 || m.Value > 52) {
					t.Errorf("the plugin's own meter says %+v", m)
				}
				if after := longer(t, w.A, w.B, c.to, without, 0); after > within {
					t.Errorf("after revert round trips still take %v longer", after)
				}
			})
		}
	}
}

// The twin: with everything in place but the effect, the same check finds nothing
// longer, and Observe does not claim so.
func TestWithoutEffectNothingTakesLonger(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		p := &Plugin{noNetem: noNetem, Injector: traffic.Injector{Inert: true}}
		without := median(traffictest.RoundTrips(t, w.A, w.B, traffictest.AddrB, 25))
		change := traffictest.Inject(t, w, p, Params{Latency: "50ms", Selection: traffic.Selection{To: everybody}})
		if got := longer(t, w.A, w.B, traffictest.AddrB, without, time.Hour); (got - 50*time.Millisecond).Abs() <= within {
			t.Errorf("%s: round trips take %v longer without effect", name, got)
		}
		if o := traffictest.Observe(t, w, p, change); o.Dose != fault.NotInForce {
			t.Errorf("%s: dose %q without effect", name, o.Dose)
		}
		traffictest.Revert(t, w, &Plugin{}, change)
	}
}

// Round trips spread over twice the jitter, evenly around the latency.
func TestJitter(t *testing.T) {
	for name, noNetem := range ways(t) {
		w := traffictest.New(t)
		p := &Plugin{noNetem: noNetem}
		change := traffictest.Inject(t, w, p, Params{Latency: "20ms", Jitter: "10ms", Selection: traffic.Selection{To: everybody, Direction: "out"}})
		took := traffictest.RoundTrips(t, w.A, w.B, traffictest.AddrB, 60)
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
	if got := median(traffictest.RoundTrips(t, w.A, w.B, traffictest.AddrB, 5)); got < 45*time.Millisecond {
		t.Errorf("a round trip takes %v", got)
	}
	p.relays.lines[change.Owner].until.Store(1) // as good as dead
	time.Sleep(400 * time.Millisecond)
	if got := median(traffictest.RoundTrips(t, w.A, w.B, traffictest.AddrB, 5)); got == 0 || got > 20*time.Millisecond {
		t.Errorf("without the relay a round trip takes %v", got)
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
