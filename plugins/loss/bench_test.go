package loss

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func BenchmarkFault(b *testing.B) {
	traffictest.New(b).Bench(b, driver, Params{"10%", traffic.Selection{To: []string{traffictest.AddrB}}},
		"nft … numgen random … drop", "/usr/sbin/nft add table ip lose ; add chain ip lose out { type filter hook output priority 0 ; } ; add rule ip lose out ip daddr "+traffictest.AddrB+" numgen random mod 100 < 10 drop", "/usr/sbin/nft delete table ip lose")
}
