package kill

import (
	"strconv"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := processtest.Group(b)
	var p *processtest.Program
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Params: Params{Selection: scope.Selection{Scope: scope.Scope{Group: path}}},
		Ready: func() {
			if p != nil {
				_, _ = p.Wait()
			}
			p = processtest.Start(b, "notes", processtest.Idle, dir)
		},
		Tool: "kill -KILL", Apply: func() { faulttest.Command(b, "/bin/kill", "-KILL", strconv.Itoa(p.PID))() },
	})
}
