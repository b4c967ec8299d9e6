package io

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

func BenchmarkFault(b *testing.B) {
	dir, path := grouptest.New(b, controller)
	device, number := filesystemtest.Device(b, mib)
	none := number + per(" 0", " wbps=max")
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Params: Params{Write: "4MiB/s", Device: device, Scope: scope.Scope{Group: path}},
		Tool: "write " + knob.File, Apply: grouptest.Write(b, dir, knob.File, entry(number, 4*mib)), Revert: grouptest.Write(b, dir, knob.File, none),
	})
}
