package duplicate

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func BenchmarkFault(b *testing.B) {
	traffictest.New(b).Bench(b, driver, Params{"10%", traffic.Selection{To: []string{traffictest.AddrB}}},
		"nft … numgen random … dup", "/usr/sbin/nft add table netdev twice ; add chain netdev twice out { type filter hook egress device eth0 priority 0 ; } ; add rule netdev twice out ip daddr "+traffictest.AddrB+" numgen random mod 100 < 10 dup to eth0", "/usr/sbin/nft delete table netdev twice")
}
