package duplicate

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

// within is how many points what came twice may be off what was asked.
const (
	within  = 0.5
	packets = 60_000
)

var everybody = []string{traffictest.AddrB, traffictest.AddrB6}

// doubled floods one way and says by the receiving kernel's counters how many
// more arrived than were sent, in %.
func doubled(t *testing.T, from, at *netns.NS, to string) float64 {
	t.Helper()
	return 100 * (float64(traffictest.Flood(t, from, at, to, packets, 100))/packets - 1)
}

// So many packets come twice as was asked, in each direction and both families,
// and after revert each comes once.
func TestDuplicationIsAccurate(t *testing.T) {
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
		{"100%", "out", 100, w.A, w.B, traffictest.AddrB}, // a copy is not copied again
		{"100%", "in", 100, w.B, w.A, traffictest.AddrA},
	} {
		t.Run(fmt.Sprintf("%s %s to %s", c.percent, c.direction, c.to), func(t *testing.T) {
			found := w.Snapshot(t)
			change := traffictest.Inject(t, w, &Plugin{}, Params{c.percent, traffic.Selection{To: everybody, Direction: c.direction, Protocol: "udp"}})
			got := doubled(t, c.from, c.at, c.to)
			o := traffictest.Observe(t, w, &Plugin{}, change)
			traffictest.Revert(t, w, &Plugin{}, change)
			t.Logf("asked %s, %.3f%% came twice, %+.3f points; %s", c.percent, got, got-c.asked, o.Detail)
			faulttest.Measured(t, faulttest.Measurement{
				Fault: Kind, What: fmt.Sprintf("of %d datagrams, %s, %s", packets, c.direction, traffictest.Family(c.to)), Asked: c.asked, Achieved: got, Unit: "%",
				Within: within, Found: found, Left: w.Snapshot(t),
			})
			if o.State != fault.Present || o.Dose != fault.Exercised {
				t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
			}
			if m := o.Achieved[0]; m.Name != "duplication" || math.Abs(m.Value-got) > within {
				t.Errorf("the plugin's own meter says %+v, the receiver %.3f%%", m, got)
			}
			if got := traffictest.Flood(t, c.from, c.at, c.to, 1000, 100); got != 1000 {
				t.Errorf("after revert %d arrive of 1000", got)
			}
		})
	}
}

// The twin: with everything in place but the effect nothing comes twice, and
// Observe does not claim so.
func TestWithoutEffectNothingComesTwice(t *testing.T) {
	w := traffictest.New(t)
	p := &Plugin{traffic.Injector{Inert: true}}
	change := traffictest.Inject(t, w, p, Params{"10%", traffic.Selection{To: everybody}})
	if got := doubled(t, w.A, w.B, traffictest.AddrB); math.Abs(got-10) <= within {
		t.Errorf("%.3f%% came twice without effect", got)
	}
	if o := traffictest.Observe(t, w, p, change); o.Dose != fault.NotInForce {
		t.Errorf("dose %q without effect", o.Dose)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// The user's firewall marks stay on both packets: the place where a copy goes on
// does not stand in the mark. A filter of the user's behind ours counts them.
func TestMarksAreLeft(t *testing.T) {
	w := traffictest.New(t)
	change := traffictest.Inject(t, w, &Plugin{}, Params{"100%", traffic.Selection{To: everybody, Protocol: "udp"}})
	const n = 100
	seen := w.CountMarked(t, 77, func() { traffictest.SendMarked(t, w.A, traffictest.AddrB, n, 77) })
	if seen != 2*n {
		t.Errorf("%d packets with the user's mark left the host, want %d", seen, 2*n)
	}
	if err := (&Plugin{}).Revert(t.Context(), w.Target, change); err != nil {
		t.Error(err)
	}
}
