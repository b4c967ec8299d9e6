package plan

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files")

// infos are three kinds: the two that the fold knows, and one that is driven
// from inside and takes its host down.
var infos = map[fault.Kind]fault.Info{
	powerloss: {Kind: powerloss, ConflictKeys: []string{"power"}, Destroys: fault.DestroysUnsyncedData, OutOfBand: true, Modes: map[string]fault.Mode{"workload": {HostStays: true}}, Params: json.RawMessage(`{"type":"object"}`)},
	partition: {Kind: partition, Destroys: fault.DestroysNothing, Params: json.RawMessage(`{"type":"object","properties":{"to":{"type":"array","items":{"type":"string"},"format":"peers"},"direction":{"type":"string"}}}`)},
	"reset":   {Kind: "reset", ConflictKeys: []string{"clock"}, Destroys: fault.DestroysUnsyncedData, Params: json.RawMessage(`{"type":"object"}`)},
}

func schemas() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for kind, info := range infos {
		out[string(kind)] = info.Params
	}
	return out
}

var parser = sync.OnceValues(func() (*experiments.Parser, error) { return experiments.NewParser(schemas()) })

func lab(t testing.TB) *inventory.Inventory {
	t.Helper()
	src, err := os.ReadFile("testdata/lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Parse(src, "lab.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// head is the part of an experiment that the plan does not look at.
const head = `experiment: test
seed: %d
clock: {pace: [{to: T+10m, takes: 10s}, {to: T+100m, takes: 30s}, {to: T+1000m, takes: 30s}]}
hypothesis: [{probe: text, tcp: {connect: "10.77.1.4:80"}, every: 1s, tolerance: {availability: 99%%, over: 1s}}]
`

func experiment(t testing.TB, seed int64, rest string) *experiments.Experiment {
	t.Helper()
	p, err := parser()
	if err != nil {
		t.Fatal(err)
	}
	exp, err := p.Parse([]byte(fmt.Sprintf(head, seed)+rest), "test.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	return exp
}

func build(t testing.TB, rest string) (*Plan, error) {
	t.Helper()
	return New(experiment(t, 1, rest), lab(t), "layout", infos)
}

// timeline is a plan's injections, one a line.
func timeline(p *Plan) string {
	var b strings.Builder
	for _, i := range p.Injections {
		fmt.Fprintf(&b, "%s %s-%s", i.ID, i.From, i.Until)
		if i.Restore != "" {
			fmt.Fprintf(&b, " (%s)", i.Restore)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func wantTimeline(t *testing.T, rest, want string) {
	t.Helper()
	p, err := build(t, rest)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimLeft(want, "\n"), timeline(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func wantRefusal(t *testing.T, rest string, is error, says string) {
	t.Helper()
	_, err := build(t, rest)
	if err == nil || is != nil && !errors.Is(err, is) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v; want %v that says %q", err, is, says)
	}
}
