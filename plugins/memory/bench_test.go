package memory

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := grouptest.New(b, "memory", tuned)
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Params: Params{Limit: "64MiB", Scope: scope.Scope{Group: path}},
		Tool: "write " + knob.File, Apply: grouptest.Write(b, dir, knob.File, "67108864"), Revert: grouptest.Write(b, dir, knob.File, found),
	})
}
