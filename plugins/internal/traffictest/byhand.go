package traffictest

import (
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Bench benchmarks a network fault in A beside one run of a tool for Apply and one
// for Revert: each of them words that begin with the tool's path, with no blanks
// inside; none says that there is no tool.
func (w *Wire) Bench(b *testing.B, plugin fault.Driver, params any, tool, apply, revert string) {
	b.Helper()
	m := faulttest.Benchmark{Plugin: plugin, Target: w.Target, Params: params, Tool: tool}
	if apply != "" {
		m.Apply, m.Revert = w.command(b, apply), w.command(b, revert)
	}
	faulttest.Bench(b, m)
}

// Netem is what one would do by hand where the kernel has netem: the arguments of
// Bench from tool on.
func Netem(options string) (tool, apply, revert string) {
	if !need.Met(need.Netem) {
		return "none: no tc netem in this kernel", "", ""
	}
	return "tc qdisc … netem " + options, "/usr/sbin/tc qdisc replace dev eth0 root netem " + options, "/usr/sbin/tc qdisc del dev eth0 root"
}

// command runs a tool in A.
func (w *Wire) command(b *testing.B, words string) func() {
	f := strings.Fields(words)
	run := faulttest.Command(b, f[0], f[1:]...)
	return func() {
		b.Helper()
		faulttest.Must(b, w.A.Do(func() error { run(); return nil }))
	}
}
