package delay

import (
	"testing"
	"time"

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
		return Params{Latency: "100ms", Selection: traffic.Selection{To: []string{traffictest.AddrB, traffictest.AddrB6}, Direction: "out", Scope: s}}
	},
	Hit: func(talk traffictest.Talk) bool {
		return talk.OutTime >= 100*time.Millisecond && talk.DialTime >= 100*time.Millisecond
	},
}

// Of one service all arrives later; of another it does not.
func TestOneService(t *testing.T) { scoped.OneService(t) }

// A container that has a network of its own is hit in it.
func TestOneContainer(t *testing.T) { scoped.OneContainer(t) }
