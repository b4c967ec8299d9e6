package loss

import (
	"fmt"
	"math"
	"testing"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// within is how many points what was lost may be off what was asked, and packets
// is how many it takes for chance to stay four sigmas inside, at 10%.
const (
	within  = 0.5
	packets = 60_000
)

var everybody = []string{traffictest.AddrB, traffictest.AddrB6}

// lost floods one way and says by the receiving kernel's counters what is missing, in %.
func lost(t *testing.T, from, at *netns.NS, to string) float64 {
	t.Helper()
	return 100 * (1 - float64(traffictest.Flood(t, from, at, to, packets, 100))/packets)
}

// Of what is sent so much is lost as was asked, in each direction and both
// families; the plugin's own meter says the same; after revert all arrives.
func TestLossIsAccurate(t *testing.T) {
	w := traffictest.New(t)
	for _, c := range []struct {
		percent, direction string
		asked              float64
		from, at           *netns.NS
		to                 string
	}{
		{"10%", "out", 10, w.A, w.B, traffictest.AddrB},
		{"10%", "out", 10, w.A, w.B, traffictest.AddrB6},
		{"10%", "in", 10, w.B, w.A, traffictest.AddrA},
		{"10%", "in", 10, w.B, w.A, traffictest.AddrA6},
		{"30%", "both", 30, w.A, w.B, traffictest.AddrB},
		{"1%", "out", 1, w.A, w.B, traffictest.AddrB6},
		{"100%", "out", 100, w.A, w.B, traffictest.AddrB},
	} {
		t.Run(fmt.Sprintf("%s %s to %s", c.percent, c.direction, c.to), func(t *testing.T) {
			found := w.Snapshot(t)
			p := &Plugin{}
			change := traffictest.Inject(t, w, p, Params{c.percent, traffic.Selection{To: everybody, Direction: c.direction, Protocol: "udp"}})
			got := lost(t, c.from, c.at, c.to)
			o := traffictest.Observe(t, w, &Plugin{}, change)
			traffictest.Revert(t, w, &Plugin{}, change)
			t.Logf("asked %s, lost %.3f%%, %+.3f points; %s", c.percent, got, got-c.asked, o.Detail)
			faulttest.Measured(t, faulttest.Measurement{
				Fault: Kind, What: fmt.Sprintf("of %d datagrams, %s, %s", packets, c.direction, traffictest.Family(c.to)), Asked: c.asked, Achieved: got, Unit: "%",
				Within: spread(c.asked), Found: found, Left: w.Snapshot(t),
			})
			if o.State != fault.Present || o.Dose != fault.Exercised {
				t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
			}
			if m := o.Achieved[0]; m.Name != "loss" || math.Abs(m.Value-got) > within {
				t.Errorf("the plugin's own meter says %+v, the receiver %.3f%%", m, got)
			}
			if got := traffictest.Flood(t, c.from, c.at, c.to, 1000, 100); got != 1000 {
				t.Errorf("after revert %d of 1000 arrive", got)
			}
		})
	}
}

// spread is within, or more where chance needs more.
func spread(percent float64) float64 {
	return math.Max(within, 4*math.Sqrt(percent*(100-percent)/packets))
}

// The twin: with everything in place but the effect, the same check finds nothing
// lost, and Observe does not claim so.
func TestWithoutEffectNothingIsLost(t *testing.T) {
	w := traffictest.New(t)
	p := &Plugin{traffic.Injector{Inert: true}}
	change := traffictest.Inject(t, w, p, Params{"10%", traffic.Selection{To: everybody}})
	if got := lost(t, w.A, w.B, traffictest.AddrB); math.Abs(got-10) <= within {
		t.Errorf("lost %.3f%% without effect", got)
	}
	if o := traffictest.Observe(t, w, p, change); o.Dose != fault.NotInForce {
		t.Errorf("dose %q without effect", o.Dose)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// With no traffic but canaries the fault still shows that it acts.
func TestCanariesExerciseIt(t *testing.T) {
	w := traffictest.New(t)
	change := traffictest.Inject(t, w, &Plugin{}, Params{"10%", traffic.Selection{To: everybody}})
	if o := traffictest.Observe(t, w, &Plugin{}, change); o.Dose != fault.Exercised {
		t.Errorf("%s: %s", o.Dose, o.Detail)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}
