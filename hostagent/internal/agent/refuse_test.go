package agent

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

func (b *bench) refused(results []control.Result, word string) {
	b.Helper()
	if len(results) != 1 || results[0].Error == nil {
		b.Fatalf("not refused: %+v", results)
	}
	if e := results[0].Error; e.Code != fault.CodeRefused || !strings.Contains(e.Message, word) {
		b.Errorf("refused with %+v, want %q", e, word)
	}
}

func TestPolicy(t *testing.T) {
	for text, word := range map[string]string{
		"kinds: [powerloss]\n": "does not allow fake",
		"protected: [h1]\n":    "protects h1",
		"frozen: true\n":       "frozen",
		"freeze: [{from: 2020-01-01T00:00:00Z, to: 2120-01-01T00:00:00Z}]\n": "frozen until 2120",
		"kind: [fake]\n":      "kind", // misspelt: nothing is injected
		"max_hard_end: soon":  "soon",
		"max_hard_end: -1s\n": "-1s",
	} {
		t.Run(word, func(t *testing.T) {
			b := newBench(t)
			b.policy(text)
			b.refused(b.order("a"), word)
			if b.fake.count("prepare") != 0 {
				t.Error("the plugin was asked")
			}
		})
	}
}

func TestPolicyAllows(t *testing.T) {
	b := newBench(t)
	b.policy("kinds: [fake]\nmax_hard_end: 1h\nmax_unattended: 1m\nprotected: [h2]\nfreeze: [{from: 2020-01-01T00:00:00Z, to: 2021-01-01T00:00:00Z}]\n")
	b.ok(b.order("a"))
	at := time.Now().Add(time.Second)
	arm := func(r control.ArmRequest) []control.Result {
		r.IDs, r.At = []fault.InjectionID{"a"}, at
		return ask[control.ArmReply](b, control.VerbArm, r).Results
	}
	b.refused(arm(control.ArmRequest{End: at.Add(2 * time.Hour)}), "allows 1h0m0s")
	b.refused(arm(control.ArmRequest{End: at.Add(time.Minute), Unattended: 2 * time.Minute}), "allows 1m0s")
	b.ok(arm(control.ArmRequest{End: at.Add(time.Minute), Unattended: time.Minute}))
	b.policy("frozen: true\n") // a freeze that comes meanwhile counts too
	b.refused(arm(control.ArmRequest{End: at.Add(time.Minute)}), "frozen")
	ask[control.RevertReply](b, control.VerbHalt, nil) // and never keeps anything from being reverted
}

// A fault that switches whole machines needs the word of the host itself. The
// twin says it.
func TestPolicyOfMachines(t *testing.T) {
	b := newBench(t, func(_ *Config, f *fake) {
		f.modes = map[string]fault.Mode{"machine": {Machine: true}, "beside": {OutOfBand: true}}
	})
	machine := func(id fault.InjectionID) []control.Result {
		return ask[control.PrepareReply](b, control.VerbPrepare, control.PrepareRequest{Injections: []control.Injection{
			{ID: id, Kind: "fake", Host: "h1", Params: []byte(`{"mode": "machine"}`)}}}).Results
	}
	for _, text := range []string{"", "allow_machine_power: false\n", "kinds: [fake]\n"} {
		b.policy(text)
		b.refused(machine("a"), "say allow_machine_power: true")
	}
	if b.fake.count("prepare") != 0 {
		t.Error("the plugin was asked")
	}
	b.policy("allow_machine_power: true\n")
	b.ok(machine("a"))
	if s := ask[control.StatusReply](b, control.VerbStatus, nil); !slices.Contains(s.Kinds, "fake") {
		t.Errorf("the agent offers %v", s.Kinds)
	}
	b.policy("")
	b.ok(b.order("b")) // of the other modes nothing is asked
}

// What a host lacks is told apart from what is not allowed: the injector may go
// on without an optional fault.
func TestUnsupported(t *testing.T) {
	b := newBench(t)
	b.fake.unable = fmt.Errorf("%w: no such controller", fault.ErrUnsupported)
	if r := b.order("a"); len(r) != 1 || r[0].Error == nil || r[0].Error.Code != fault.CodeUnsupported || !strings.Contains(r[0].Error.Message, "no such controller") {
		t.Errorf("got %+v", r)
	}
}

func TestRefused(t *testing.T) {
	b := newBench(t)
	prepare := func(i control.Injection) []control.Result {
		return ask[control.PrepareReply](b, control.VerbPrepare, control.PrepareRequest{Injections: []control.Injection{i}}).Results
	}
	b.refused(prepare(control.Injection{ID: "a", Kind: "other", Host: "h1"}), "no plugin")
	b.refused(prepare(control.Injection{ID: "a", Kind: "fake", Host: "h2"}), "does not act on")
	b.refused(b.armAt(soon, long, long, "a"), "not prepared")
	b.ok(b.order("a"))
	b.refused(prepare(control.Injection{ID: "a", Kind: "fake", Host: "h1", Params: []byte(`"x"`)}), "other content")
	b.refused(b.ignite("a"), "not armed")
	b.refused(b.armAt(-time.Second, long, long, "a"), "at")
	b.refused(b.armAt(soon, long, 0, "a"), "hard end")
	b.refused(b.armAt(soon, long, 30*24*time.Hour, "a"), "allows")
	b.refused(ask[control.Ack](b, control.VerbRenew, control.RenewRequest{IDs: []fault.InjectionID{"a"}}).Results, "not fired")
	if r := ask[control.RevertReply](b, control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{"z"}}); r.Ended[0].Error == nil {
		t.Error("an unknown injection was reverted")
	}
}

// In-band and out-of-band faults do not mix.
func TestPlaceOfAgent(t *testing.T) {
	inside := newBench(t, func(_ *Config, f *fake) { f.outOf = true })
	inside.refused(inside.order("a"), "beside the host")
	beside := newBench(t, func(c *Config, _ *fake) { c.OutOfBand = true })
	beside.refused(beside.order("a"), "inside the host")
}
