package files

import (
	"fmt"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := grouptest.New(b, grouptest.V2)
	p := start(b, dir)
	l := limit(b, p.PID)
	prlimit := func(soft uint64) func() {
		return faulttest.Command(b, "/usr/bin/prlimit", fmt.Sprintf("--pid=%d", p.PID), fmt.Sprintf("--nofile=%d:%d", soft, l.Max))
	}
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Target: here, Params: Params{Which: "descriptors", Leave: 8, Selection: scope.Selection{Scope: scope.Scope{Group: path}}},
		Tool: "prlimit --nofile", Apply: prlimit(16), Revert: prlimit(l.Cur),
	})
}
