package runner

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A host whose agent is too late to be armed is left out for good where the file
// allows one missing host; where it allows none the run is refused. So it is
// when the agent's answer is a no.
func TestTooLateToBeArmed(t *testing.T) {
	for _, verb := range []control.Verb{control.VerbPrepare, control.VerbArm} {
		for _, missing := range []int{0, 1} {
			synctest.Test(t, func(t *testing.T) {
				a, b := part("p1", time.Second, 9*time.Second), part("p2", time.Second, 9*time.Second)
				again := part("p2", 20*time.Second, 25*time.Second)
				d, f := newDrive(&plan.Plan{Injections: []plan.Injection{a, b, again}, End: 30 * time.Second})
				d.missing, f.mute = missing, map[control.Verb]string{verb: "p2"}
				err := d.run(t.Context())
				if missing == 0 {
					if !isRefusal(err) || len(f.when(control.VerbFire, a.ID)) != 0 {
						t.Errorf("silent at %s, none may be missing: %v", verb, err)
					}
					return
				}
				if err != nil || len(f.when(control.VerbFire, a.ID)) != 1 || len(f.when(control.VerbFire, b.ID))+len(f.when(control.VerbFire, again.ID)) != 0 {
					t.Errorf("silent at %s: %v; want p1 fired, p2 never", verb, err)
				}
				d.doubt(tookOver("p1"))
				d.doubt(tookOver("p2"))
				if got := d.allDoubts(); !slices.Equal(got, []string{tookOver("p1")}) {
					t.Errorf("doubts %q", got)
				}
				want := []string{"p2 (spared: partition of stage 1s, partition of stage 20s)"}
				if got := d.missingHosts(); !slices.Equal(got, want) || len(d.faults()) != 1 || !slices.Equal(d.late, []string{"p2"}) {
					t.Errorf("missing %q, faults %+v, late %v", got, d.faults(), d.late)
				}
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{part("p1", time.Second, 9*time.Second), part("p2", time.Second, 9*time.Second)}, End: 10 * time.Second})
		d.missing, f.refuse[control.VerbPrepare] = 2, "p2"
		if err := d.run(t.Context()); !isRefusal(err) {
			t.Errorf("an agent that says no: %v", err)
		}
	})
}

// A host that goes missing after the first change is not left out.
func TestMissingLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := part("p1", time.Second, 29*time.Second), part("p2", 20*time.Second, 25*time.Second)
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{a, b}, End: 30 * time.Second})
		d.missing, f.mute = 1, map[control.Verb]string{control.VerbPrepare: "p2"}
		if err := d.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(d.missingHosts()) != 0 || len(d.faults()) != 2 {
			t.Errorf("missing %q, faults %+v", d.missingHosts(), d.faults())
		}
	})
}

// An optional fault that a host cannot do is left out, in any round, and said;
// without optional, and for any other reason, it is refused.
func TestOptional(t *testing.T) {
	for _, tc := range []struct {
		optional bool
		code     fault.Code
		refused  bool
	}{
		{true, fault.CodeUnsupported, false},
		{false, fault.CodeUnsupported, true},
		{true, fault.CodeRefused, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := part("p1", time.Second, 9*time.Second), part("p2", time.Second, 9*time.Second)
			b.Optional = tc.optional
			d, f := newDrive(&plan.Plan{Injections: []plan.Injection{a, b}, End: 10 * time.Second})
			f.refuse[control.VerbPrepare], f.code = "p2", tc.code
			err := d.run(t.Context())
			if isRefusal(err) != tc.refused || !tc.refused && err != nil {
				t.Fatalf("%+v: %v", tc, err)
			}
			if tc.refused {
				return
			}
			if got := d.notInjected(); !slices.Equal(got, []string{"partition on p2: no p2"}) || len(d.faults()) != 1 || len(d.missingHosts()) != 0 {
				t.Errorf("not injected %q, faults %+v", got, d.faults())
			}
			if len(f.when(control.VerbFire, a.ID)) != 1 || len(f.when(control.VerbFire, b.ID)) != 0 {
				t.Error("want p1 fired and p2 not")
			}
		})
	}
}

// As long as all before was left out nothing has been changed, and a no refuses
// the run.
func TestFirstRoundLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := part("p1", time.Second, 9*time.Second), part("p2", 15*time.Second, 20*time.Second)
		a.Optional = true
		d, f := newDrive(&plan.Plan{Injections: []plan.Injection{a, b}, End: 30 * time.Second})
		f.refuse[control.VerbPrepare], f.code = "p1", fault.CodeUnsupported
		f.mute = map[control.Verb]string{control.VerbPrepare: "p2"}
		if err := d.run(t.Context()); !isRefusal(err) || d.hasChanged() {
			t.Errorf("got %v", err)
		}
	})
}

// One host more stands in the inventory than there are: with limits.missing the
// run goes on without it and says so; without, it is refused.
func TestRunWithoutAHost(t *testing.T) {
	out := &output{t: t}
	_, _, o := standingHosts(t, out)
	o.agents = 2 * time.Second
	hosts := strings.Replace(labFile, "  - {name: clients,", "  - {name: h3, site: one, rack: r2, feeds: [grid]}\n  - {name: clients,", 1)
	hosts = strings.Replace(hosts, "[{name: r1}]", "[{name: r1}, {name: r2}]", 1)
	hosts, _, _ = strings.Cut(hosts, "services:")
	write(t, o.Inventory, hosts)
	file, err := os.ReadFile(o.Path + "/experiment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(file), "on: {hosts: h1}", "on: {hosts: [h1, h3]}", 1)
	write(t, o.Path+"/experiment.yaml", text)
	run, err := Run(t.Context(), o)
	if err != nil || run.Outcome != report.RefusedRun || !strings.Contains(run.Reason, "not reachable within 2s: h3 oob-r2") {
		t.Fatalf("none may be missing: %v, %+v", err, run)
	}
	write(t, o.Path+"/experiment.yaml", text+"limits: {missing: 1}\n")
	if run, err = Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	checkCut(t, run, out)
	l := run.Layouts[0]
	if !slices.Equal(l.Missing, []string{"h3 (spared: powerloss of stage dark)"}) || !slices.Equal(l.Stages[0].Hosts, []string{"h1"}) {
		t.Errorf("missing %q, stages %+v", l.Missing, l.Stages)
	}
	if !strings.Contains(out.String(), "goes on without h3: its agent is not reachable within 2s") {
		t.Errorf("not said:\n%s", out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
