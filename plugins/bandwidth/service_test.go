package bandwidth

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// Of one service no more arrives than a thin line lets through; of another all does.
func TestOneService(t *testing.T) {
	traffictest.OneService(t,
		func(inert bool) fault.Plugin[Params, Change] {
			return &Plugin{Injector: traffic.Injector{Inert: inert}}
		},
		func(s scope.Scope) Params {
			return Params{Rate: "100kbit", Selection: traffic.Selection{To: []string{traffictest.AddrB, traffictest.AddrB6}, Protocol: "udp", Scope: s}}
		},
		func(talk traffictest.Talk) bool { return talk.Out < traffictest.Few && talk.In < traffictest.Few })
}
