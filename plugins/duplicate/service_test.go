package duplicate

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// Of one service all arrives twice, either way; of another once.
func TestOneService(t *testing.T) {
	traffictest.OneService(t,
		func(inert bool) fault.Plugin[Params, traffic.Change] {
			return &Plugin{Injector: traffic.Injector{Inert: inert}}
		},
		func(s scope.Scope) Params {
			return Params{Percent: "100%", Selection: traffic.Selection{To: []string{traffictest.AddrB, traffictest.AddrB6}, Scope: s}}
		},
		func(talk traffictest.Talk) bool { return talk.Out == 2*traffictest.Few && talk.In == 2*traffictest.Few })
}
