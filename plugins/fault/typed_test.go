package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"

	"github.com/firedrill-io/firedrill/plugins/internal/faultpb"
)

type params struct {
	Ports []int  `json:"ports" jsonschema:"minItems=1"`
	Side  string `json:"side,omitempty" jsonschema:"enum=in,enum=out"`
}

type record struct {
	Old int `json:"old"`
}

// probe is a plugin that notes how it was called.
type probe struct {
	calls   []record
	apply   func(context.Context) error
	started BootTime
}

func (*probe) Describe() Info { return Info{Kind: "probe"} }

func (*probe) Prepare(_ context.Context, _ Target, p params) (record, error) {
	return record{Old: len(p.Ports)}, nil
}

func (p *probe) Apply(ctx context.Context, _ Target, c record, _, _ BootTime) error {
	p.started = Now()
	p.calls = append(p.calls, c)
	if p.apply != nil {
		return p.apply(ctx)
	}
	return nil
}

func (*probe) Observe(context.Context, Target, record) (Observation, error) {
	return Observation{}, nil
}
func (*probe) Revert(context.Context, Target, record) error { return nil }

// lost is a plugin whose target is gone.
type lost struct{ probe }

func (*lost) Observe(context.Context, Target, record) (Observation, error) {
	return Observation{State: Partial, Dose: InForce, Asked: []Measure{{Name: "n"}}}, fmt.Errorf("%w: no such group", ErrGone)
}

// What a target that is gone had of a fault went with it; also across the wire, as
// a plugin in another language answers.
func TestGoneIsAbsent(t *testing.T) {
	pb := observationPB((&lost{}).Observe(t.Context(), Target{}, record{}))
	for name, observe := range map[string]func() (Observation, error){
		"driver": func() (Observation, error) {
			return NewDriver(&lost{}).Observe(t.Context(), Target{}, json.RawMessage("{}"))
		},
		"client": func() (Observation, error) {
			return client{pb: answers{observed: pb}}.Observe(t.Context(), Target{}, nil)
		},
	} {
		o, err := observe()
		if err != nil || o.State != Absent || o.Dose != NotInForce || len(o.Asked) != 1 || !strings.Contains(o.Detail, "no such group") {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

// answers is a plugin on the other end of the wire.
type answers struct {
	faultpb.FaultClient
	observed *faultpb.ObserveResponse
}

func (a answers) Observe(context.Context, *faultpb.ObserveRequest, ...grpc.CallOption) (*faultpb.ObserveResponse, error) {
	return a.observed, nil
}

func TestParametersAreStrict(t *testing.T) {
	d := NewDriver(&probe{})
	for params, field := range map[string]string{
		`{"ports":[1],"prots":2}`: "prots",
		`{"ports":"x"}`:           "ports",
		`{"ports":[1]} {}`:        "",
		`[]`:                      "",
		`{`:                       "",
	} {
		_, err := d.Prepare(t.Context(), Target{}, json.RawMessage(params))
		var r *RefusedError
		if !errors.As(err, &r) || r.Field != field {
			t.Errorf("prepare %s: %v, want a refusal of %q", params, err, field)
		}
	}
	if _, err := d.Prepare(t.Context(), Target{}, nil); err != nil {
		t.Errorf("no parameters: %v", err)
	}
}

// A record written by a newer plugin must still be reverted.
func TestRecordsAreLenient(t *testing.T) {
	p := &probe{}
	d := NewDriver(p)
	items := []RawItem{{ID: "i", Change: json.RawMessage(`{"old":4,"added_later":true}`)}}
	if _, err := d.Apply(t.Context(), items, 0, 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record{{Old: 4}}, p.calls); diff != "" {
		t.Error(diff)
	}
	if err := d.Revert(t.Context(), Target{}, json.RawMessage(`{"old":4,"x":1}`)); err != nil {
		t.Error(err)
	}
	if err := d.Revert(t.Context(), Target{}, json.RawMessage(`{`)); err == nil {
		t.Error("reverted a broken record")
	}
}

func TestSchemaIsDerivedAndClosed(t *testing.T) {
	info, err := NewDriver(&probe{}).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"properties":{"ports":{"items":{"type":"integer"},"type":"array","minItems":1},"side":{"type":"string","enum":["in","out"]}},"additionalProperties":false,"type":"object","required":["ports"]}`
	if diff := cmp.Diff(want, string(info.Params)); diff != "" {
		t.Error(diff)
	}
	if info.ContractVersion != ContractVersion {
		t.Errorf("contract version %d", info.ContractVersion)
	}
}

func TestApplyStartsOnTime(t *testing.T) {
	p := &probe{apply: func(ctx context.Context) error { Mark(ctx, "a"); Mark(ctx, "b"); return ErrStuck }}
	at := Now().Add(120 * time.Millisecond)
	applied, err := NewDriver(p).Apply(t.Context(), []RawItem{{ID: "i", Change: json.RawMessage(`{}`)}}, at, at.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	a := applied[0]
	t.Logf("wake error %v by %s", a.Woke.Sub(at), a.Timer)
	if p.started < at || a.Woke < at || a.Woke.Sub(at) > 100*time.Millisecond || a.Done < p.started {
		t.Errorf("started %v after the instant; applied = %+v", p.started.Sub(at), a)
	}
	if len(a.Phase) != 2 || a.Phase[0].Name != "a" || a.Phase[1].At < a.Phase[0].At {
		t.Errorf("phases = %+v", a.Phase)
	}
	if !errors.Is(a.Err, ErrStuck) {
		t.Errorf("error = %v", a.Err)
	}
}

// A process that was stopped and continued after its lease brings nothing back.
func TestApplyAfterItsEndDoesNothing(t *testing.T) {
	p := &probe{}
	applied, err := NewDriver(p).Apply(t.Context(), []RawItem{{Change: json.RawMessage(`{}`)}}, Now().Add(-time.Second), Now())
	if err != nil || applied[0].Err == nil || len(p.calls) != 0 {
		t.Errorf("applied %d times: %+v, %v", len(p.calls), applied, err)
	}
}

func TestCancelledApplyDoesNothing(t *testing.T) {
	for name, cancelAfter := range map[string]time.Duration{"early": 10 * time.Millisecond, "in the exact sleep": 80 * time.Millisecond} {
		p := &probe{}
		ctx, cancel := context.WithTimeout(t.Context(), cancelAfter)
		applied, err := NewDriver(p).Apply(ctx, []RawItem{{Change: json.RawMessage(`{}`)}}, Now().Add(100*time.Millisecond), 0)
		cancel()
		if err != nil || applied[0].Err == nil || !strings.Contains(applied[0].Err.Message, "wait for the start") || len(p.calls) != 0 {
			t.Errorf("%s: applied %d times: %+v, %v", name, len(p.calls), applied, err)
		}
	}
}

type batch struct{ probe }

func (b *batch) ApplyBatch(ctx context.Context, items []Item[record], _, _ BootTime) []error {
	Mark(ctx, "all")
	errs := make([]error, len(items)-1) // one too few
	errs[0] = ErrGone
	return errs
}

func TestBatchGoesInOneCall(t *testing.T) {
	items := []RawItem{{ID: "x", Change: json.RawMessage(`{}`)}, {ID: "y", Change: json.RawMessage(`{}`)}, {ID: "z", Change: json.RawMessage(`{}`)}}
	applied, err := NewDriver[params, record](&batch{}).Apply(t.Context(), items, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range applied {
		if a.ID != items[i].ID || len(a.Phase) != 1 || a.Phase[0].Name != "all" {
			t.Errorf("applied[%d] = %+v", i, a)
		}
	}
	if !errors.Is(applied[0].Err, ErrGone) || applied[1].Err != nil || applied[2].Err == nil {
		t.Errorf("errors = %v, %v, %v", applied[0].Err, applied[1].Err, applied[2].Err)
	}
}

// A log that is not taken must not hold up the plugin.
func TestLogNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		w := newLineWriter(writerFunc(func(p []byte) (int, error) { <-stuck; return len(p), nil }))
		log := newLogger(w, "plugin")
		for range 2 * logBacklog {
			log.Info("line")
		}
		if w.dropped.Load() == 0 {
			t.Error("nothing was dropped")
		}
		close(stuck)
		w.flush(time.Second)
	})
}

func TestLogHasTheKeysOfTheHostSide(t *testing.T) {
	var b strings.Builder
	newLogger(&b, "plugin").Warn("hot", "took", 3*time.Second)
	var line map[string]string
	if err := json.Unmarshal([]byte(b.String()), &line); err != nil {
		t.Fatal(err)
	}
	if line["@level"] != "warn" || line["@message"] != "hot" || line["@module"] != "plugin" || line["@timestamp"] == "" || line["took"] != "3s" {
		t.Errorf("line = %v", line)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
