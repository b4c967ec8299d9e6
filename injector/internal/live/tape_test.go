package live

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// entry is one call of the runner, as a real run of the files in testdata made it;
// times are cut to milliseconds.
type entry struct {
	At     time.Time       `json:"at"`
	Layout *string         `json:"layout"`
	T0     *time.Time      `json:"t0"`
	Boot   int64           `json:"boot"`
	Event  *evidence.Event `json:"event"`
	Line   bool            `json:"line"`
	Sample *probe.Sample   `json:"sample"`
	Write  *ledger.Write   `json:"write"`
	Second *crowd.Second   `json:"second"`
	Judged *report.Layout  `json:"judged"`
}

// scene is what the runner hands over when a layout begins.
type scene struct {
	exp  *experiments.Experiment
	inv  *inventory.Inventory
	plan *plan.Plan
}

// loadScene plans the recorded layout.
func loadScene(t *testing.T) scene {
	t.Helper()
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	schemas := map[string]json.RawMessage{}
	for kind, info := range infos {
		schemas[string(kind)] = info.Params
	}
	exp, err := experiments.Parse(read(t, "experiment.yaml"), "experiment.yaml", nil, schemas)
	if err != nil {
		t.Fatal(err)
	}
	inv, err := inventory.Parse(read(t, "stretched.yaml"), "stretched.yaml", exp.LabVariables())
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.New(exp, inv, "stretched", infos)
	if err != nil {
		t.Fatal(err)
	}
	return scene{exp, inv, p}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// play gives s what was recorded up to so long after T0; 0: everything. It
// returns the instant it stopped at, by both clocks.
func play(t *testing.T, s *state, until time.Duration) (now time.Time, boot int64) {
	t.Helper()
	f, err := os.Open("testdata/tape.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	sc := loadScene(t)
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if until != 0 && !s.t0.IsZero() && e.At.After(s.t0.Add(until)) {
			return s.t0.Add(until), s.boot + int64(until)
		}
		now = e.At
		s.replay(e, sc)
	}
	return now, s.boot + int64(now.Sub(s.t0))
}

func (s *state) replay(e entry, sc scene) {
	switch {
	case e.Layout != nil:
		s.layout(*e.Layout, sc.exp, sc.inv, sc.plan)
	case e.T0 != nil:
		if !e.T0.IsZero() {
			s.incident(*e.T0, e.Boot)
		}
	case e.Event != nil:
		s.event(*e.Event, e.Line)
	case e.Sample != nil:
		s.sample(*e.Sample)
	case e.Write != nil:
		s.write(*e.Write)
	case e.Second != nil:
		s.second(*e.Second)
	case e.Judged != nil:
		s.verdict(*e.Judged)
	}
}
