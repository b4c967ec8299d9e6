package bandwidth

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func BenchmarkFault(b *testing.B) {
	traffictest.New(b).Bench(b, driver, Params{"10mbit", traffic.Selection{To: []string{traffictest.AddrB}}},
		"tc qdisc … tbf", "/usr/sbin/tc qdisc replace dev eth0 root tbf rate 10mbit burst 32kbit latency 50ms", "/usr/sbin/tc qdisc del dev eth0 root")
}
