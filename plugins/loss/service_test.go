package loss

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

var scoped = traffictest.Scoped[Params, traffic.Change]{
	New: func(inert bool) fault.Plugin[Params, traffic.Change] {
		return &Plugin{Injector: traffic.Injector{Inert: inert}}
	},
	Params: func(s scope.Scope) Params {
		return Params{Percent: "100%", Selection: traffic.Selection{To: []string{traffictest.AddrB, traffictest.AddrB6}, Scope: s}}
	},
	Hit: func(talk traffictest.Talk) bool {
		return talk.Out == 0 && talk.In == 0 && !talk.DialOut && !talk.DialIn
	},
}

// Of one service nothing arrives, either way; of another all does.
func TestOneService(t *testing.T) { scoped.OneService(t) }
