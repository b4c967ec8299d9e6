package pids

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := grouptest.New(b, "pids", [2]string{limitFile, found})
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Params: Params{Limit: limit, Scope: scope.Scope{Group: path}},
		Tool: "write " + limitFile, Apply: grouptest.Write(b, dir, limitFile, "40"), Revert: grouptest.Write(b, dir, limitFile, found),
	})
}
