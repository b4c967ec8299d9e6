package clock

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	p := processtest.Start(b, "notes", processtest.Clock)
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Params: Params{Selection: scope.Selection{Executable: p.Path}, Shift: "-1h"}, Tool: "none: date moves the whole host",
	})
}
