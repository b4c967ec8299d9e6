package corrupt

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func BenchmarkFault(b *testing.B) {
	tool, apply, revert := traffictest.Netem("corrupt 10%")
	traffictest.New(b).Bench(b, driver, Params{"10%", traffic.Selection{To: []string{traffictest.AddrB}}}, tool, apply, revert)
}
