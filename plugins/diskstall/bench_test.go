package diskstall

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
)

func BenchmarkFault(b *testing.B) {
	dir, _ := filesystemtest.Ext4(b, 32*mib)
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Target: here, Params: Params{Path: dir},
		Tool: "fsfreeze", Apply: faulttest.Command(b, "/usr/sbin/fsfreeze", "-f", dir), Revert: faulttest.Command(b, "/usr/sbin/fsfreeze", "-u", dir),
	})
}
