package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/firedrill-io/firedrill/internal/need"
)

// A minute is looked at, a little after the steady state was reached.
const (
	steadyMinute = time.Minute
	steadyLead   = 2 * time.Second
	steadyEnd    = "T+65s" // of an incident in which nothing happens
)

// BenchmarkCompany runs the whole company of the data-centre fire, in the layout
// stretched, through a minute in which nothing fails. It reports how long the
// hosts took to come up, each with its agent, and all services to be steady, and
// what the harness (all of it that is no service) used of the machine's CPU in
// that minute. Run it with -benchtime 1x.
func BenchmarkCompany(b *testing.B) {
	need.Check(b, need.Root, need.Loop, need.Mkfs)
	for b.Loop() {
		company(b)
	}
	b.ReportMetric(0, "ns/op")
}

func company(b *testing.B) {
	dir := b.TempDir()
	uneventful(b, dir)
	cmd := exec.Command(filepath.Join(bin, "injector"), "run", ".", "--lab")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }() // its supervisor takes the lab down
	var said strings.Builder
	lines := bufio.NewReader(io.TeeReader(out, &said))
	for line := ""; !strings.Contains(line, "steady: "); {
		if line, err = lines.ReadString('\n'); err != nil {
			b.Fatalf("the run ended before it was steady:\n%s", said.String())
		}
	}
	time.Sleep(steadyLead)
	before := costs(b, cmd.Process.Pid)
	time.Sleep(steadyMinute)
	after := costs(b, cmd.Process.Pid)
	_, _ = io.Copy(io.Discard, lines)
	if err := cmd.Wait(); err != nil {
		b.Fatalf("the run ended with %v:\n%s", err, said.String())
	}
	reportStart(b, dir)
	reportCosts(b, before, after)
}

// uneventful writes an experiment with the company's hypothesis and ledgers and
// without any fault.
func uneventful(b *testing.B, dir string) {
	b.Helper()
	const fire = "../../experiments/datacenter-fire"
	src, err := os.ReadFile(filepath.Join(fire, "experiment.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	var all map[string]any
	if err := yaml.Unmarshal(src, &all); err != nil {
		b.Fatal(err)
	}
	exp := map[string]any{
		"layouts": map[string]any{"stretched": map[string]any{"lab": "stretched.yaml"}},
		"stages":  []any{map[string]any{"stage": "end", "at": steadyEnd, "note": "Nothing has happened."}},
	}
	for _, key := range []string{"experiment", "title", "seed", "variables", "hypothesis", "ledger"} {
		exp[key] = all[key]
	}
	text, err := yaml.Marshal(exp)
	if err != nil {
		b.Fatal(err)
	}
	lab, err := os.ReadFile(filepath.Join(fire, "stretched.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	for name, content := range map[string][]byte{"experiment.yaml": text, "stretched.yaml": lab} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// reportStart reads from the run's log how long it took until hosts and services
// were there, both counted from the moment the first of them was asked for.
func reportStart(b *testing.B, dir string) {
	b.Helper()
	logs, _ := filepath.Glob(filepath.Join(dir, "runs/*/events.jsonl"))
	if len(logs) != 1 {
		b.Fatalf("%d run logs, want one", len(logs))
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		b.Fatal(err)
	}
	first := map[string]time.Time{}
	for line := range strings.Lines(string(text)) {
		var e struct {
			Wall time.Time `json:"wall"`
			Type string    `json:"type"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			b.Fatal(err)
		}
		if _, ok := first[e.Type]; !ok {
			first[e.Type] = e.Wall
		}
	}
	for unit, event := range map[string]string{"up-s": "lab-up", "steady-s": "hypothesis-held"} {
		if first[event].IsZero() || first["layout-started"].IsZero() {
			b.Fatalf("the run's log lacks %s or layout-started:\n%s", event, text)
		}
		b.ReportMetric(first[event].Sub(first["layout-started"]).Seconds(), unit)
	}
}

// reportCosts reports CPU in per cent of the whole machine.
func reportCosts(b *testing.B, before, after cost) {
	b.Helper()
	span := after.at.Sub(before.at).Seconds() * float64(runtime.NumCPU())
	share := func(parts ...part) float64 {
		used := 0.0
		for pid, p := range after.processes {
			for _, want := range parts {
				if p.part == want {
					used += (p.cpu - before.processes[pid].cpu).Seconds()
				}
			}
		}
		return 100 * used / span
	}
	hosts, memory := 0, 0.0
	for _, p := range after.processes {
		if p.hostinit {
			hosts++
		}
		if p.part != service {
			memory += p.megabytes
		}
	}
	b.ReportMetric(float64(hosts), "hosts")
	b.ReportMetric(share(clients, agents, bench), "%harness")
	b.ReportMetric(share(clients), "%clients")
	b.ReportMetric(share(agents), "%agents")
	b.ReportMetric(share(bench), "%lab")
	b.ReportMetric(share(service), "%services")
	b.ReportMetric(100*(after.busy-before.busy).Seconds()/span, "%busy")
	b.ReportMetric(memory, "MB-PSS")
}
