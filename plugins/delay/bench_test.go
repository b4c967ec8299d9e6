package delay

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func BenchmarkFault(b *testing.B) {
	tool, apply, revert := traffictest.Netem("delay 50ms")
	traffictest.New(b).Bench(b, driver, Params{Latency: "50ms", Selection: traffic.Selection{To: []string{traffictest.AddrB}}}, tool, apply, revert)
}
