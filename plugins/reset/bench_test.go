package reset

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

func BenchmarkFault(b *testing.B) {
	ns, target := host(b)
	ss := faulttest.Command(b, "/usr/bin/ss", "--kill", "--tcp", "--no-header", "sport", "=", ":5001")
	var p pair
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Target: target, Params: Params{Ports: []string{"5001"}},
		Ready: func() {
			p.close()
			p = dial(b, ns, "127.0.0.1:5001", "")
		},
		Tool: "ss --kill", Apply: func() { faulttest.Must(b, ns.Do(func() error { ss(); return nil })) },
	})
	p.close()
}
