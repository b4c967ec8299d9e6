package pause

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := grouptest.New(b, grouptest.V2)
	grouptest.Spin(b, dir)
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Params: Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}},
		Tool: "write " + knob.File, Apply: grouptest.Write(b, dir, knob.File, "1"), Revert: grouptest.Write(b, dir, knob.File, "0"),
	})
}
