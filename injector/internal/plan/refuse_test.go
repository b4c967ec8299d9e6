package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/google/go-cmp/cmp"
)

func TestEmptyTargets(t *testing.T) {
	wantRefusal(t, `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {site: internet}}]}]`, inventory.ErrEmpty, "site=internet")
	wantRefusal(t, `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {site: pangjo}}]}]`, inventory.ErrEmpty, "did you mean pangyo?")
	wantRefusal(t, `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {site: pangyo}, restore: [{at: T+5m, hosts: [a1]}]}]}]`, inventory.ErrEmpty, `named "a1"`)
	wantRefusal(t, `stages: [{stage: cut, at: T+3m, faults: [{partition: {to: ["site:gasn"]}, on: {site: pangyo}}]}]`, inventory.ErrEmpty, "did you mean gasan?")
}

// Two faults on one knob at one time are refused, and both are named.
func TestConflict(t *testing.T) {
	clash := `stages:
- {stage: one, at: T+3m, unattended: 5s, faults: [{reset: {}, on: {hosts: p1}, until: T+9m}]}
- {stage: two, at: T+8m, unattended: 5s, faults: [{reset: {}, on: {site: pangyo}, until: T+20m}]}
`
	wantRefusal(t, clash, ErrRefused, "one/reset/p1 (T+3m to T+9m) and two/reset/p1 (T+8m to T+20m) both change \"clock\" of p1")
	_, err := build(t, `stages:
- {stage: one, at: T+3m, unattended: 5s, faults: [{reset: {}, on: {hosts: p1}, until: T+8m}]}
- {stage: two, at: T+8m, unattended: 5s, faults: [{reset: {}, on: {site: pangyo}, until: T+20m}]}
`)
	if err != nil {
		t.Errorf("one after the other: %v", err)
	}
}

// Keys that belong to a parameter count only where it is given.
func TestConflictByParameter(t *testing.T) {
	stages := `stages:
- {stage: one, at: T+3m, faults: [{knobs: {low: 1}, on: {hosts: p1}, until: T+9m}]}
- {stage: two, at: T+8m, faults: [{knobs: {%s: 1}, on: {hosts: p1}, until: T+20m}]}
`
	wantRefusal(t, fmt.Sprintf(stages, "low"), ErrRefused, "both change \"low-knob\" of p1")
	if _, err := build(t, fmt.Sprintf(stages, "high")); err != nil {
		t.Errorf("two knobs: %v", err)
	}
}

func TestFaultOnDarkHost(t *testing.T) {
	wantRefusal(t, `stages:
- {stage: cut, at: T+3m, faults: [{powerloss: {}, on: {hosts: p1}, until: T+9m}]}
- {stage: net, at: T+5m, faults: [{partition: {to: ["10.0.0.0/8"]}, on: {hosts: p1}, until: T+20m}]}
`, ErrRefused, "net/partition/p1 begins at T+5m while p1 is dark")
}

func TestLimits(t *testing.T) {
	stages := `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {site: pangyo}}]}]
`
	wantRefusal(t, stages+"limits: {hosts: 3}", ErrRefused, "4 hosts are hit at T+3m (p1, p2, p3, p4), limits allow 3")
	wantRefusal(t, stages+"limits: {share: 25%}", ErrRefused, "limits allow 3")
	wantRefusal(t, stages+"limits: {sites: [anyang]}", ErrRefused, "site pangyo is not among the limits' sites")
	if _, err := build(t, stages+"limits: {hosts: 4, share: 34%, sites: [pangyo]}"); err != nil {
		t.Error(err)
	}
}

// A stage that takes down the agent that carries it must say so. One that is
// driven from beside the host need not, nor one that spares the control path.
func TestUnattended(t *testing.T) {
	wantRefusal(t, `stages: [{stage: cut, at: T+3m, faults: [{reset: {}, on: {hosts: p1}}]}]`, ErrRefused, "say unattended")
	for _, fault := range []string{"powerloss: {}", `partition: {to: ["0.0.0.0/0"]}`} {
		p, err := build(t, `stages: [{stage: cut, at: T+3m, faults: [{`+fault+`, on: {hosts: p1}}]}]`)
		if err != nil || len(p.Stages[0].CutsControl) > 0 {
			t.Errorf("%s: %v, cuts control of %v", fault, err, p.Stages[0].CutsControl)
		}
	}
	p, err := build(t, `stages: [{stage: cut, at: T+3m, unattended: 10s, faults: [{reset: {}, on: {rack: p-a3}}]}]`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"p3", "p4"}, p.Stages[0].CutsControl); diff != "" {
		t.Error(diff)
	}
}

// Peers named by domain become addresses, the host's own left out.
func TestPeers(t *testing.T) {
	p, err := build(t, `stages: [{stage: net, at: T+3m, faults: [{partition: {to: ["site:pangyo", "host:clients", "10.9.0.0/16"]}, on: {hosts: p3}}]}]`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"to":["10.77.1.1","10.77.1.2","10.77.1.4","10.77.5.1","10.9.0.0/16"]}`
	if got := string(p.Injections[0].Params); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Steps that other layouts have are left out; a step that this one should have is missed.
func TestRunbook(t *testing.T) {
	stages := `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {hosts: p1}}]}]
layouts: {layout: {lab: lab.yaml}, other: {lab: lab.yaml}}
`
	p, err := build(t, stages+`runbook: [{at: T+9m, step: promote-standby}, {at: T+10m, step: other-step}, {at: T+11m, step: promote-standby, layouts: [other]}]`)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Runbook) != 1 || p.Runbook[0].Name != "promote-standby" || p.Runbook[0].Wall != p.WallAt(p.Runbook[0].At) {
		t.Errorf("got %+v", p.Runbook)
	}
	wantRefusal(t, stages+`runbook: [{at: T+9m, step: other-step, layouts: [layout]}]`, nil, `no step "other-step"`)
}

func TestBlast(t *testing.T) {
	p, err := build(t, `stages:
- {stage: zones, at: T+3m, faults: [{powerloss: {}, on: {power: [ups-a1]}}]}
- {stage: all, at: T+9m, faults: [{powerloss: {}, on: {site: pangyo}}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Blast{{"all", 1, 12}, {"site:pangyo", 1, 4}, {"rack:p-a1", 1, 1}, {"power:ups-a1", 1, 1}}
	if diff := cmp.Diff(want, p.Stages[0].Blast); diff != "" {
		t.Error(diff)
	}
	if got := p.Stages[1].Blast[0]; got.Hit != 4 {
		t.Errorf("the second stage hits %d hosts; those that were dark count too", got.Hit)
	}
	b, err := json.Marshal(p.Stages[1].Destroys)
	if err != nil || string(b) != `["unsynced data on p2, p3, p4"]` {
		t.Errorf("it destroys %s, %v", b, err)
	}
}

// A probe that no service serves, and a ledger that reads a site that is not there.
func TestServed(t *testing.T) {
	stages := `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {hosts: p1}}]}]
`
	ledger := `ledger: [{name: talk, http: {post: "http://x/${n}", expect: 201}, every: 1s, read: {active: "http://x", sites: {pangjo: "http://x"}}}]`
	wantRefusal(t, stages+ledger, nil, "did you mean pangyo?")
	inv := lab(t)
	inv.Services[0].Serves, inv.Services[1].Serves = nil, nil
	if _, err := New(experiment(t, 1, stages), inv, "", infos); err == nil || !strings.Contains(err.Error(), "no service of as-it-was serves it") {
		t.Errorf("got %v", err)
	}
	inv.Services = nil
	if _, err := New(experiment(t, 1, stages), inv, "", infos); err != nil {
		t.Errorf("an inventory without services: %v", err)
	}
}

// What makes a file invalid is not hidden behind a refusal that follows from it.
func TestInvalidBeforeRefused(t *testing.T) {
	_, err := build(t, `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {site: internet}}, {powerloss: {}, on: {site: pangyo}}]}]
limits: {hosts: 1}`)
	if !errors.Is(err, inventory.ErrEmpty) || errors.Is(err, ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// What a host may be unable to do is told in the plan; a plan without hosts that
// are missing has none of their injections and leaves the first one alone.
func TestOptionalAndWithout(t *testing.T) {
	p, err := build(t, `stages: [{stage: split, at: T+3m, faults: [{partition: {to: ["10.0.0.0/8"]}, on: {hosts: [p1, p2]}, until: T+20m, optional: true}]}]`)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Render(&out, p); err != nil || !p.Injections[0].Optional || !strings.Contains(out.String(), "partition where it can be done on p1 p2 until T+20m") {
		t.Errorf("%v\n%s", err, out.String())
	}
	less := p.Without(func(i Injection) bool { return i.Host == "p1" })
	if len(less.Injections) != 1 || less.Injections[0].Host != "p2" || len(p.Injections) != 2 {
		t.Errorf("%d of %d injections are left", len(less.Injections), len(p.Injections))
	}
}
