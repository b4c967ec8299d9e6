package conformance

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// lease is the end that the suite gives an injection when the end is not what
// is tried: what a failing plugin forgets goes away by itself.
const lease = time.Minute

// observeTime is how long a fault may take to show, or to be gone, in Observe.
const observeTime = 3 * time.Second

// trial is one history of one case. Its steps note what is wrong; a step after
// which nothing makes sense abandons the trial.
type trial struct {
	place  *place
	c      Case
	info   fault.Info
	params json.RawMessage

	before digest.Digest
	agent  *agent
	change json.RawMessage
	wrong  []string
}

type abandoned struct{}

func (tr *trial) failf(format string, args ...any) {
	tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
}

func (tr *trial) must(step string, err error) {
	if err != nil {
		tr.failf("%s: %v", step, err)
		panic(abandoned{})
	}
}

// run puts the plugin through h and returns what is wrong.
func (tr *trial) run(h History) (wrong []string) {
	defer func() {
		if r := recover(); r != nil && r != any(abandoned{}) {
			panic(r)
		}
		if tr.agent != nil {
			tr.agent.close()
		}
		wrong = tr.wrong
	}()
	var err error
	tr.before, err = tr.place.digest()
	tr.must("list host", err)
	tr.begin()
	h.steps(tr)
	return tr.wrong
}

// begin starts an agent with its plugin.
func (tr *trial) begin() {
	a, err := tr.place.standIn()
	tr.must("start agent", err)
	tr.agent = a
	tr.launch()
}

func (tr *trial) launch() {
	ctx, cancel := bounded()
	defer cancel()
	_, err := tr.agent.launch(ctx, tr.place.start)
	tr.must("launch", err)
}

// restart kills the plugin without a word of warning and starts it anew.
func (tr *trial) restart() {
	ctx, cancel := bounded()
	defer cancel()
	tr.must("kill plugin", tr.agent.killPlugin(ctx, 0))
	tr.launch()
}

func (tr *trial) target() fault.Target { return tr.place.target(tr.c) }

func (tr *trial) prepare() {
	ctx, cancel := bounded()
	defer cancel()
	var err error
	tr.change, err = tr.agent.Prepare(ctx, tr.target(), tr.params)
	tr.must("prepare", err)
}

func (tr *trial) item() []fault.RawItem {
	return []fault.RawItem{{ID: "trial", Target: tr.target(), Change: tr.change}}
}

func (tr *trial) apply() { tr.applyUntil(fault.Now().Add(lease)) }

func (tr *trial) applyUntil(until fault.BootTime) {
	ctx, cancel := bounded()
	defer cancel()
	at := fault.Now().Add(50 * time.Millisecond)
	applied, err := tr.agent.Apply(ctx, tr.item(), at, until)
	tr.must("apply", err)
	a := applied[0]
	tr.must("apply", a.Err.Err())
	if a.ID != "trial" || a.Woke < at || a.Done < a.Woke {
		tr.failf("apply: reported %+v for a start at %d", a, at)
	}
}

// observe waits until the plugin observes what ok wants, and returns it.
func (tr *trial) observe(want string, ok func(fault.Observation) bool) fault.Observation {
	var o fault.Observation
	var err error
	for end := time.Now().Add(cmp.Or(tr.c.Patience, observeTime)); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := bounded()
		o, err = tr.agent.Observe(ctx, tr.target(), tr.change)
		cancel()
		if err == nil && ok(o) {
			return o
		}
		if time.Now().After(end) {
			tr.failf("observe: got %s, %s (%s), error %v; want %s", o.State, o.Dose, o.Detail, err, want)
			return o
		}
	}
}

func (tr *trial) present() {
	tr.observe("present and in force", func(o fault.Observation) bool {
		return o.State == fault.Present && (o.Dose == fault.InForce || o.Dose == fault.Exercised)
	})
	tr.metered()
	tr.dosed()
}

// outlived is for a process that did not apply, after the one that did was
// killed: the fault is as it was, or over if it was held by that process.
func (tr *trial) outlived() {
	if !tr.c.Held {
		tr.present()
		return
	}
	tr.observe("that it is over with its process", func(o fault.Observation) bool {
		return o.State != fault.Present && o.Dose == fault.NotInForce
	})
}

// dosed compares what the meter reads with what the case asks for.
func (tr *trial) dosed() {
	if tr.c.Meter == nil {
		return
	}
	measured, err := tr.c.Meter(tr.place.host)
	tr.must("read meter", err)
	for _, m := range tr.c.Dose {
		if problem := compareMeasure(measured, m, tr.c.Tolerance); problem != "" {
			tr.failf("the dose is wrong: asked %s", strings.Replace(problem, "the plugin says", "the meter reads", 1))
		}
	}
}

// noticed is metered for a plugin of which nothing else is known.
func (tr *trial) noticed() {
	now, err := tr.place.digest()
	tr.must("list host", err)
	if !tr.place.beside && len(digest.Diff(tr.before, now)) == 0 {
		tr.failf("the plugin says that the fault is present, and nothing that the host lists is different")
	}
	o := tr.observe("an answer", func(fault.Observation) bool { return true })
	for _, m := range o.Asked {
		if problem := compareMeasure(o.Achieved, m, tr.c.Tolerance); problem != "" {
			tr.failf("in force by another dose: asked %s", problem)
		}
	}
}

func (tr *trial) absent() {
	tr.observe("absent and not in force", func(o fault.Observation) bool {
		return o.State == fault.Absent && o.Dose == fault.NotInForce
	})
}

// metered compares what the plugin says it achieved with an independent meter.
func (tr *trial) metered() {
	if tr.c.Meter == nil {
		if tr.c.Strange {
			tr.noticed()
		}
		return
	}
	measured, err := tr.c.Meter(tr.place.host)
	tr.must("read meter", err)
	var wrong []string
	tr.observe("what the meter reads", func(o fault.Observation) bool {
		wrong = wrong[:0]
		for _, m := range measured {
			if problem := compareMeasure(o.Achieved, m, tr.c.Tolerance); problem != "" {
				wrong = append(wrong, problem)
			}
		}
		return len(wrong) == 0
	})
	if len(wrong) > 0 {
		tr.failf("achieved is not what the meter reads: %s", strings.Join(wrong, "; "))
	}
}

// compareMeasure says how achieved differs from m; empty if it does not.
func compareMeasure(achieved []fault.Measure, m fault.Measure, tolerance float64) (problem string) {
	for _, a := range achieved {
		if a.Name != m.Name {
			continue
		}
		if a.Unit != m.Unit || math.Abs(a.Value-m.Value) > tolerance*math.Abs(m.Value) {
			return fmt.Sprintf("%s is %v %s, the plugin says %v %s", m.Name, m.Value, m.Unit, a.Value, a.Unit)
		}
		return ""
	}
	return fmt.Sprintf("%s is %v %s, the plugin does not say", m.Name, m.Value, m.Unit)
}

func (tr *trial) revert() { tr.must("revert", tr.reverted()) }

func (tr *trial) reverted() error {
	ctx, cancel := bounded()
	defer cancel()
	return tr.agent.Revert(ctx, tr.target(), tr.change)
}

// unchanged compares the host with what was found.
func (tr *trial) unchanged() {
	diff, err := tr.place.changed(tr.before, tr.place.settles(tr.c))
	tr.must("list host", err)
	if len(diff) > 0 {
		tr.failf("the host was not left as found:\n%s", strings.Join(diff, "\n"))
	}
	tr.must("find host", tr.place.host.refresh())
}

// inApply starts Apply for at and returns a function that waits for its answer.
func (tr *trial) inApply(ctx context.Context, at fault.BootTime) (answer func() error) {
	return tr.inApplyUntil(ctx, at, at.Add(lease))
}

func (tr *trial) inApplyUntil(ctx context.Context, at, until fault.BootTime) (answer func() error) {
	done := make(chan error, 1)
	items := tr.item()
	go func() {
		applied, err := tr.agent.Apply(ctx, items, at, until)
		if err == nil {
			err = applied[0].Err.Err()
		}
		done <- err
	}()
	return func() error { return <-done }
}
