package faulttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Benchmark is a fault, and what one would do in its place with the usual tool.
type Benchmark struct {
	Plugin fault.Driver
	Target fault.Target
	Params any
	// Ready, if set, makes what the fault acts on before each round, of the fault
	// and by hand; it is not timed.
	Ready func()
	// Tool is what is done by hand, in a few words. Without Apply there is no such
	// tool, and Tool says why.
	Tool          string
	Apply, Revert func() // Revert may be nil: what was done stays done
}

// Bench times a fault's calls, and the same by hand, in turn in one run, and
// reports medians in ms. Its name is BenchmarkFault in each plugin's folder: make
// bench makes a section of docs/results/bench.md of all that are called so.
func Bench(b *testing.B, m Benchmark) {
	b.Helper()
	info, err := m.Plugin.Describe(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	params, err := json.Marshal(m.Params)
	if err != nil {
		b.Fatal(err)
	}
	name := string(info.Kind) + "/" + strings.ReplaceAll(m.Tool, " ", "+") // the testing package makes them _, which file names have
	b.Run(name, func(b *testing.B) {
		took := map[string][]float64{}
		for b.Loop() {
			m.round(b, params, func(name string, act func()) {
				began := time.Now()
				act()
				took[name] = append(took[name], time.Since(began).Seconds()*1000)
			})
		}
		for name, ms := range took {
			slices.Sort(ms)
			b.ReportMetric(ms[len(ms)/2], name+"-ms")
		}
		b.ReportMetric(0, "ns/op")
	})
}

// round does it once each way.
func (m Benchmark) round(b *testing.B, params json.RawMessage, timed func(name string, act func())) {
	ready := func() {
		if m.Ready != nil {
			m.Ready()
		}
	}
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	ready()
	var change json.RawMessage
	timed("prepare", func() {
		var err error
		change, err = m.Plugin.Prepare(b.Context(), m.Target, params)
		check(err)
	})
	timed("apply", func() {
		applied, err := m.Plugin.Apply(b.Context(), []fault.RawItem{{ID: "bench", Target: m.Target, Change: change}}, 0, fault.Now().Add(time.Minute))
		check(err)
		check(applied[0].Err.Err())
	})
	timed("observe", func() {
		_, err := m.Plugin.Observe(b.Context(), m.Target, change)
		check(err)
	})
	timed("revert", func() { check(m.Plugin.Revert(b.Context(), m.Target, change)) })
	if m.Apply == nil {
		return
	}
	ready()
	timed("hand-apply", m.Apply)
	if m.Revert != nil {
		timed("hand-revert", m.Revert)
	}
}

// Command is one run of a tool, in the namespaces of the calling thread. A tool
// that fails, or is not there, fails b with what it said.
func Command(b testing.TB, path string, args ...string) func() {
	return func() {
		b.Helper()
		out, said, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		defer out.Close()
		p, err := proc.Start(proc.Spec{Path: path, Args: args, Stdout: said, Stderr: said})
		_ = said.Close()
		if err != nil {
			b.Fatalf("%v; .ci/setup --bench installs the tools", err)
		}
		text, _ := io.ReadAll(out)
		if code, err := p.Wait(); err != nil || code != 0 {
			b.Fatal(fmt.Errorf("%s %v: exit code %d, %w: %s", path, args, code, err, bytes.TrimSpace(text)))
		}
	}
}
