package linkdown

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// By hand the routes and permanent neighbours are lost.
func BenchmarkFault(b *testing.B) {
	w := newWire(b)
	set := func(state string) func() {
		run := faulttest.Command(b, "/usr/sbin/ip", "link", "set", "eth1", state)
		return func() { faulttest.Must(b, w.a.Do(func() error { run(); return nil })) }
	}
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Target: w.target, Params: Params{Device: "eth0"}, Tool: "ip link set", Apply: set("down"), Revert: set("up"),
	})
}
