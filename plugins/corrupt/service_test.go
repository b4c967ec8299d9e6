package corrupt

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// Of one service nothing arrives as it was sent; of another all does.
func TestOneService(t *testing.T) {
	traffictest.OneService(t,
		func(inert bool) fault.Plugin[Params, traffic.Change] {
			return &Plugin{Injector: traffic.Injector{Inert: inert}}
		},
		func(s scope.Scope) Params {
			return Params{Percent: "100%", Selection: traffic.Selection{To: []string{traffictest.AddrB, traffictest.AddrB6}, Direction: "out", Scope: s}}
		},
		func(talk traffictest.Talk) bool { return talk.Changed == traffictest.Few })
}
