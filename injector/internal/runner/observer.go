package runner

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// Observer is told what happens in a run while it happens, so that it can show
// it. Its methods are called from several goroutines and must return at once:
// the run waits for them.
type Observer interface {
	// Layout says that a layout begins; what was before it is over.
	Layout(name string, e *experiments.Experiment, inv *inventory.Inventory, p *plan.Plan)
	// Incident gives the start of the incident's clock, by the wall clock and in
	// ns of CLOCK_BOOTTIME. It may lie in the future.
	Incident(t0 time.Time, boot int64)
	// Event gives everything that goes to the run log; line says that it has a
	// line for people.
	Event(e evidence.Event, line bool)
	// Sample, Write and Second give what the clients see. An answer comes late by
	// as much as it took.
	Sample(s probe.Sample)
	Write(w ledger.Write)
	Second(s crowd.Second)
	// Judged gives what the layout's verdict would be if it ended now.
	Judged(l report.Layout)
	// End says that nothing more will come and that the summary is next.
	End()
}

// lines shows a run as one line an event.
type lines struct {
	out io.Writer

	mu sync.Mutex
	t0 time.Time // zero: the incident has not begun
}

// newLines writes a run to out as plain lines: incident clock, wall clock from
// T0, what happened.
func newLines(out io.Writer) Observer { return &lines{out: out} }

func (l *lines) Layout(string, *experiments.Experiment, *inventory.Inventory, *plan.Plan) {
	l.Incident(time.Time{}, 0)
}

func (l *lines) Incident(t0 time.Time, _ int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t0 = t0
}

func (l *lines) Event(e evidence.Event, line bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line && e.Message != "" {
		_, _ = fmt.Fprintln(l.out, e.Line(l.t0))
	}
}

func (l *lines) Sample(probe.Sample)  {}
func (l *lines) Write(ledger.Write)   {}
func (l *lines) Second(crowd.Second)  {}
func (l *lines) Judged(report.Layout) {}
func (l *lines) End()                 {}
