package bandwidth

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

var scoped = traffictest.Scoped[Params, Change]{
	New: func(inert bool) fault.Plugin[Params, Change] {
		return &Plugin{Injector: traffic.Injector{Inert: inert}}
	},
	Params: func(s scope.Scope) Params {
		return Params{Rate: "100kbit", Selection: traffic.Selection{To: []string{traffictest.AddrB, traffictest.AddrB6}, Protocol: "udp", Scope: s}}
	},
	Hit: func(talk traffictest.Talk) bool { return talk.Out < traffictest.Few && talk.In < traffictest.Few },
}

// Of one service no more arrives than a thin line lets through; of another all does.
func TestOneService(t *testing.T) { scoped.OneService(t) }
