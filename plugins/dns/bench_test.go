package dns

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

func BenchmarkFault(b *testing.B) {
	traffictest.New(b).Bench(b, driver, Params{Mode: "drop", Resolvers: []string{traffictest.AddrB}},
		"nft … udp dport 53 drop", "/usr/sbin/nft add table ip dns ; add chain ip dns out { type filter hook output priority 0 ; } ; add rule ip dns out ip daddr "+traffictest.AddrB+" udp dport 53 drop", "/usr/sbin/nft delete table ip dns")
}
