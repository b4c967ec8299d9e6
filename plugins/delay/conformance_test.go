package delay

import (
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

var driver = fault.NewDriver(&Plugin{})

func TestMain(m *testing.M) {
	processtest.Main()
	faulttest.Main(m, driver)
}

// Without netem the delay ends with its process, which the suite kills and takes
// for a mere restart: TestRelayDiesOpen says what is right then.
func TestConformance(t *testing.T) {
	t.Parallel()
	need.Check(t, need.Netem)
	faulttest.Run(t, driver, faulttest.Case{
		Params:  Params{Latency: "50ms", Jitter: "10ms", Selection: traffic.Selection{To: []string{"10.77.2.1"}}},
		Disturb: traffictest.Neighbour(),
	})
}

func TestConformanceOfRefusals(t *testing.T) {
	t.Parallel()
	faulttest.Run(t, driver, faulttest.Case{Params: Params{Latency: "50", Selection: traffic.Selection{To: []string{"10.77.2.1"}}}, Refused: "latency"})
}

// Each bad parameter is refused with its own path.
func TestParams(t *testing.T) {
	for want, p := range map[string]Params{
		"latency": {Latency: "50"},
		"jitter":  {Latency: "50ms", Jitter: "60ms"},
		"reorder": {Latency: "50ms", Reorder: "0%"},
	} {
		_, err := p.parse()
		faulttest.Refused(t, err, want)
	}
	c, err := Params{Latency: "50ms", Jitter: "10ms", Reorder: "25%"}.parse()
	if err != nil || c.Latency != 50*time.Millisecond || c.Jitter != 10*time.Millisecond || c.Reorder != 0.25 {
		t.Errorf("%+v, %v", c, err)
	}
	if l := c.line(&netlink.Dummy{}); l.Limit < 50_000 || l.Gap != 1 {
		t.Errorf("%+v", l)
	}
}
