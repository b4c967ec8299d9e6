package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// fakeAgents answers every command at once and remembers when it came.
type fakeAgents struct {
	t0     time.Time
	refuse map[control.Verb]string // host whose injections fail at this verb
	code   fault.Code              // with which they do; empty: refused
	mute   map[control.Verb]string // agent that does not answer this verb

	mu    sync.Mutex
	calls []call
}

type call struct {
	at    time.Duration
	agent string
	verb  control.Verb
	ids   []fault.InjectionID
	arm   control.ArmRequest
}

func (f *fakeAgents) Call(ctx context.Context, agent string, verb control.Verb, body, out any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.mute[verb] == agent {
		<-ctx.Done()
		return fmt.Errorf("send %s to %s: %w", verb, agent, control.ErrUnreachable)
	}
	c := call{at: time.Since(f.t0), agent: agent, verb: verb}
	var reply any
	var results []control.Result
	result := func(id fault.InjectionID) {
		c.ids = append(c.ids, id)
		r := control.Result{ID: id}
		if host := f.refuse[verb]; host != "" && strings.HasSuffix(string(id), "/"+host) {
			r.Error = &fault.Error{Code: cmp.Or(f.code, fault.CodeRefused), Message: "no " + host}
		}
		results = append(results, r)
	}
	switch b := body.(type) {
	case control.PrepareRequest:
		for _, i := range b.Injections {
			result(i.ID)
		}
		reply = control.PrepareReply{Results: results}
	case control.ArmRequest:
		c.arm = b
		for _, id := range b.IDs {
			result(id)
		}
		reply = control.ArmReply{Results: results}
	case control.FireRequest:
		for _, id := range b.IDs {
			result(id)
		}
		reply = control.Ack{Results: results}
	case control.RenewRequest:
		c.ids = b.IDs
	case control.InjectionsRequest:
		c.ids = b.IDs
		if verb == control.VerbObserve {
			reply = observed(b.IDs)
		} else {
			reply = reverted(b.IDs)
		}
	}
	f.mu.Lock()
	f.calls = append(f.calls, c)
	f.mu.Unlock()
	if out == nil || reply == nil {
		return nil
	}
	b, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, out)
}

func observed(ids []fault.InjectionID) (r control.ObserveReply) {
	for _, id := range ids {
		r.Observed = append(r.Observed, control.Observed{ID: id, Phase: "applied",
			Applied:     &fault.Applied{ID: id, At: 1000, Woke: 1500},
			Observation: fault.Observation{State: fault.Present, Dose: fault.Exercised}})
	}
	return r
}

func reverted(ids []fault.InjectionID) (r control.RevertReply) {
	for _, id := range ids {
		r.Ended = append(r.Ended, control.Ended{ID: id, Phase: "reverted"})
	}
	return r
}

// when returns the instants at which verb was called for the injection.
func (f *fakeAgents) when(verb control.Verb, id fault.InjectionID) (at []time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c.verb == verb && slices.Contains(c.ids, id) {
			at = append(at, c.at)
		}
	}
	return at
}

// cut is a power cut of one host; p1 and p2 hang in rack p, driven from beside it.
func cut(host string, start, end time.Duration) plan.Injection {
	return plan.Injection{ID: fault.InjectionID(fmt.Sprintf("%s/powerloss/%s", start, host)), Stage: start.String(),
		Kind: powerlossKind, Host: host, OutOfBand: true, Start: start, End: end}
}

func part(host string, start, end time.Duration) plan.Injection {
	i := cut(host, start, end)
	i.ID, i.Kind, i.OutOfBand = fault.InjectionID(fmt.Sprintf("%s/partition/%s", start, host)), "partition", false
	return i
}

// newDrive returns a drive that starts five seconds from now, and its agents.
func newDrive(p *plan.Plan) (*drive, *fakeAgents) {
	f := &fakeAgents{t0: time.Now().Add(5 * time.Second), refuse: map[control.Verb]string{}}
	d := &drive{plan: p, agents: f, t0: f.t0, log: func(evidence.Event) {},
		route: func(i plan.Injection) string {
			if i.OutOfBand {
				return "oob-p"
			}
			return i.Host
		},
		behind: func(agent string) []string { return []string{agent} },
		step:   func(context.Context, plan.Step) (string, error) { return "done", nil }}
	return d, f
}

// Every injection is prepared, then armed, then fired before its start, and
// reverted at its end; the arm carries exactly start and end.
func TestDriveOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := cut("p1", 2*time.Second, 40*time.Second), part("p2", 30*time.Second, 35*time.Second)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{one, two}, End: 50 * time.Second,
			Runbook: []plan.Step{{Name: "promote", Wall: 45 * time.Second}}})
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(f.t0); took != 50*time.Second {
			t.Errorf("the drive ended after %s, want 50s", took)
		}
		for _, i := range []plan.Injection{one, two} {
			last := -time.Hour
			for _, verb := range []control.Verb{control.VerbPrepare, control.VerbArm, control.VerbFire} {
				at := f.when(verb, i.ID)
				if len(at) != 1 || at[0] < last || at[0] >= i.Start {
					t.Errorf("%s of %s at %v, start is %s", verb, i.ID, at, i.Start)
				}
				last = at[0]
			}
			if at := f.when(control.VerbRevert, i.ID); len(at) != 1 || at[0] != i.End {
				t.Errorf("revert of %s at %v, want %s", i.ID, at, i.End)
			}
			if r := d.results[i.ID]; r.phase != "reverted" || r.seen.Dose != fault.Exercised || r.err != "" {
				t.Errorf("%s ended as %+v", i.ID, r)
			}
		}
		for _, c := range f.calls {
			if c.verb == control.VerbArm && c.agent == "oob-p" && (!c.arm.At.Equal(f.t0.Add(one.Start)) || !c.arm.End.Equal(f.t0.Add(one.End))) {
				t.Errorf("armed for %s to %s", c.arm.At.Sub(f.t0), c.arm.End.Sub(f.t0))
			}
		}
		if len(d.steps) != 1 || d.steps[0].began.Sub(f.t0) != 45*time.Second {
			t.Errorf("steps %+v", d.steps)
		}
	})
}

// A power cut that takes its own agent away can't be looked at while it lasts, and
// is believed when the agent of the next boot has found the record. The twin is
// told of nothing, and stays unseen.
func TestDriveTakesItsAgent(t *testing.T) {
	for _, told := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			i := cut("p1", 2*time.Second, 40*time.Second)
			i.OutOfBand = false
			d, f := newDrive(&plan.Plan{Injections: []plan.Injection{i}, End: 50 * time.Second})
			d.log = func(e evidence.Event) {
				if strings.Contains(e.Message, string(fault.NotInForce)) {
					t.Errorf("said while nobody could know: %s", e.Message)
				}
			}
			if told {
				time.AfterFunc(45*time.Second, func() { d.endedByBoot(i.ID) })
			}
			if err := d.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if at := append(f.when(control.VerbObserve, i.ID), f.when(control.VerbRenew, i.ID)...); len(at) > 0 {
				t.Errorf("the agent that is gone was asked at %v", at)
			}
			if seen := d.results[i.ID].seen.Dose; (seen == fault.Exercised) != told {
				t.Errorf("told %t: dose %q", told, seen)
			}
		})
	}
}

// A host that is booted anew makes the run inconclusive, unless the plan cut its power.
func TestDriveBootNobodyPlanned(t *testing.T) {
	for _, planned := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			i := part("p1", time.Second, 30*time.Second)
			injections := []plan.Injection{i}
			if planned {
				injections = append(injections, cut("p1", 10*time.Second, 20*time.Second))
			}
			d, _ := newDrive(&plan.Plan{Injections: injections, End: 40 * time.Second})
			time.AfterFunc(30*time.Second, func() { d.endedByBoot(i.ID) })
			if err := d.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := d.allDoubts(); (len(got) == 0) != planned || !planned && !strings.Contains(got[0], "not planned") {
				t.Errorf("planned %t: doubts %q", planned, got)
			}
		})
	}
}

// Live leases are renewed often enough that two lost renewals end nothing.
func TestDriveRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := cut("p1", time.Second, 5*time.Minute)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{i}, End: 5 * time.Minute})
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		last := i.Start
		for _, at := range append(f.when(control.VerbRenew, i.ID), i.End) {
			if at-last > lease/3 {
				t.Errorf("no renewal between %s and %s", last, at)
			}
			last = at
		}
	})
}

// A first stage that cannot be armed on one host is fired on none; in a later
// stage the others go, since the service has been hurt already.
func TestDriveRefusal(t *testing.T) {
	for _, verb := range []control.Verb{control.VerbPrepare, control.VerbArm} {
		synctest.Test(t, func(t *testing.T) {
			a, b := cut("p1", time.Second, 9*time.Second), cut("p2", time.Second, 9*time.Second)
			d, f := newDrive(&plan.Plan{Injections: []plan.Injection{a, b}, End: 10 * time.Second})
			f.refuse[verb] = "p2"
			if err := d.run(t.Context()); !isRefusal(err) || !strings.Contains(err.Error(), "no p2") {
				t.Fatalf("got %v, want it refused", err)
			}
			if at := f.when(control.VerbFire, a.ID); len(at) != 0 {
				t.Errorf("p1 was fired at %v", at)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		first, a, b := cut("p3", time.Second, 9*time.Second), cut("p1", 5*time.Second, 9*time.Second), cut("p2", 5*time.Second, 9*time.Second)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{first, a, b}, End: 10 * time.Second})
		f.refuse[control.VerbPrepare] = "p2"
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(f.when(control.VerbFire, a.ID)) != 1 || len(f.when(control.VerbFire, b.ID)) != 0 {
			t.Error("of the second stage p1 must be fired and p2 not")
		}
	})
}

// An interrupt ends the drive at once and a halt reaches every agent.
func TestDriveInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := cut("p1", time.Second, time.Minute)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{i}, End: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(15*time.Second, cancel)
		if err := d.run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(f.t0); took != 10*time.Second {
			t.Errorf("ended at %s, want 10s", took)
		}
		if live := d.stillLive(); len(live) != 1 {
			t.Errorf("live after the interrupt: %v", live)
		}
		if failed := d.haltAll(t.Context(), []string{"oob-p", "p1"}); len(failed) != 0 {
			t.Errorf("halt: %v", failed)
		}
	})
}

// Nothing can be prepared on a dark host, so a cut that follows another waits
// for the power; and what an agent inside a host carried ends with that host.
func TestPowerTakesTheAgentAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := part("p1", time.Second, 40*time.Second)
		first, second := cut("p1", 10*time.Second, 20*time.Second), cut("p1", 22*time.Second, 30*time.Second)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{inside, first, second}, End: 45 * time.Second})
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if at := f.when(control.VerbPrepare, second.ID); len(at) != 1 || at[0] < first.End {
			t.Errorf("second cut prepared at %v, while p1 was dark until %s", at, first.End)
		}
		if got := d.results[inside.ID].phase; got != "ended-by-powerloss" {
			t.Errorf("the partition inside p1 ended as %q", got)
		}
		if at := f.when(control.VerbRevert, inside.ID); len(at) != 0 {
			t.Errorf("revert of an injection that power ended, at %v", at)
		}
	})
}

func isRefusal(err error) bool {
	var stop *stopError
	return errors.As(err, &stop) && stop.outcome == report.RefusedRun
}
