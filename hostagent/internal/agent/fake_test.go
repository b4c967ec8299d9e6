package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// fake is a fault without effect that notes what it was told.
type fake struct {
	mu      sync.Mutex
	calls   []call
	present map[string]bool
	outOf   bool
	modes   map[string]fault.Mode
	wrong   bool // Revert says nothing and does nothing
	refuse  *fault.Error
	unable  error // of Prepare
}

type call struct {
	verb      string
	ids       int
	at, until fault.BootTime
}

func (f *fake) note(c call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
}

func (f *fake) count(verb string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.verb == verb {
			n++
		}
	}
	return n
}

func (f *fake) Describe(context.Context) (fault.Info, error) {
	return fault.Info{Kind: "fake", PluginVersion: "1", OutOfBand: f.outOf, Modes: f.modes,
		Protection: []fault.Protection{fault.ProtectKernelLease}}, nil
}

func (f *fake) Prepare(_ context.Context, _ fault.Target, p json.RawMessage) (json.RawMessage, error) {
	f.note(call{verb: "prepare"})
	return p, f.unable
}

func (f *fake) Apply(ctx context.Context, items []fault.RawItem, at, until fault.BootTime) ([]fault.Applied, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(max(at.Sub(fault.Now()), 0)):
	}
	f.note(call{verb: "apply", ids: len(items), at: at, until: until})
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []fault.Applied
	for _, it := range items {
		f.present[string(it.Change)] = f.refuse == nil
		out = append(out, fault.Applied{ID: it.ID, At: at, Err: f.refuse})
	}
	return out, nil
}

func (f *fake) Observe(_ context.Context, _ fault.Target, c json.RawMessage) (fault.Observation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.present[string(c)] {
		return fault.Observation{State: fault.Present, Dose: fault.InForce}, nil
	}
	return fault.Observation{State: fault.Absent, Dose: fault.NotInForce}, nil
}

func (f *fake) Revert(_ context.Context, _ fault.Target, c json.RawMessage) error {
	f.note(call{verb: "revert"})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wrong {
		return nil
	}
	delete(f.present, string(c))
	return nil
}

// process makes a fake look like a plugin process.
type process struct {
	*fake
	hang bool // Revert does not return before its context ends
	done chan struct{}
	once sync.Once
}

func (p *process) Revert(ctx context.Context, t fault.Target, c json.RawMessage) error {
	if p.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.fake.Revert(ctx, t, c)
}

func (p *process) PID() int              { return os.Getpid() }
func (p *process) StartTime() uint64     { return 1 }
func (p *process) Done() <-chan struct{} { return p.done }
func (p *process) Kill()                 { p.once.Do(func() { close(p.done) }) }

type events struct {
	mu   sync.Mutex
	list []evidence.Event
}

func (e *events) Append(ev evidence.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
	return nil
}

func (e *events) types() (out []evidence.Type) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.list {
		out = append(out, ev.Type)
	}
	return out
}

// bench is an agent with a fake fault, without processes.
type bench struct {
	*testing.T
	*Agent
	fake      *fake
	events    *events
	processes []*process
}

func newBench(t *testing.T, change ...func(*Config, *fake)) *bench {
	t.Helper()
	root := t.TempDir()
	b := &bench{T: t, fake: &fake{present: map[string]bool{}}, events: &events{}}
	cfg := Config{
		Name: "h1", Root: root, Hosts: []string{"h1"}, Version: "test", Evidence: b.events,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	for _, c := range change {
		c(&cfg, b.fake)
	}
	cfg.Drivers = guardian.Drivers{"fake": b.fake}
	cfg.Launch = func(context.Context, fault.Kind, string) (Plugin, error) {
		p := &process{fake: b.fake, done: make(chan struct{})}
		b.processes = append(b.processes, p)
		return p, nil
	}
	a, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.Agent = a
	t.Cleanup(func() {
		if err := a.Close(); err != nil && !b.fake.wrong {
			t.Error(err)
		}
		a.release()
	})
	return b
}

// ask sends a command as control would and returns its reply.
func ask[Reply any](b *bench, v control.Verb, body any) Reply {
	b.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		b.Fatal(err)
	}
	reply, err := b.Handle(context.Background(), control.Command{Run: "run", Verb: v, Body: raw})
	if err != nil {
		b.Fatalf("%s: %v", v, err)
	}
	return reply.(Reply)
}

// prepare prepares injections on h1 and returns the errors.
func (b *bench) order(ids ...fault.InjectionID) []control.Result {
	b.Helper()
	var r control.PrepareRequest
	for _, id := range ids {
		r.Injections = append(r.Injections, control.Injection{ID: id, Kind: "fake", Host: "h1", Params: json.RawMessage(`"` + string(id) + `"`)})
	}
	return ask[control.PrepareReply](b, control.VerbPrepare, r).Results
}

func (b *bench) armAt(in time.Duration, lease, end time.Duration, ids ...fault.InjectionID) []control.Result {
	b.Helper()
	at := time.Now().Add(in)
	return ask[control.ArmReply](b, control.VerbArm, control.ArmRequest{IDs: ids, At: at, End: at.Add(end), Lease: lease}).Results
}

func (b *bench) ignite(ids ...fault.InjectionID) []control.Result {
	b.Helper()
	return ask[control.Ack](b, control.VerbFire, control.FireRequest{IDs: ids}).Results
}

// await waits until the journal has the injection in phase.
func (b *bench) await(id fault.InjectionID, phase journal.Phase) journal.Record {
	b.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if r, _ := b.journal.Find(id); r.Phase == phase {
			return r
		}
	}
	r, _ := b.journal.Find(id)
	b.Fatalf("injection %s is %q, not %q", id, r.Phase, phase)
	return r
}

func (b *bench) ok(results []control.Result) {
	b.Helper()
	for _, r := range results {
		if r.Error != nil {
			b.Fatal(r.Error)
		}
	}
}

func (b *bench) policy(text string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(b.cfg.Root, "policy.yaml"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}
