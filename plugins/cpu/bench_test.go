package cpu

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := grouptest.New(b, "cpu", tuned()...)
	quota := per("10000", "10000 50000")
	m := faulttest.Benchmark{
		Plugin: driver, Target: fault.Target{}, Params: Params{Quota: "20%", Scope: scope.Scope{Group: path}},
		Tool: "write " + knob.File, Apply: grouptest.Write(b, dir, knob.File, quota), Revert: grouptest.Write(b, dir, knob.File, tuned()[0][1]),
	}
	faulttest.Bench(b, m)
	m.Tool, m.Apply, m.Revert = "stress-ng --cpu 1 --cpu-ops 1", faulttest.Command(b, "/usr/bin/stress-ng", "--quiet", "--cpu", "1", "--cpu-ops", "1"), nil
	faulttest.Bench(b, m)
}
