package live

import (
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

// keepLines is how many of the last lines are kept: as many as a tall terminal shows.
const keepLines = 200

// state is what is known of a run. Its methods only take in; none reads a clock.
type state struct {
	name   string // of the layout; empty: real hosts, or none has begun
	exp    *experiments.Experiment
	inv    *inventory.Inventory
	plan   *plan.Plan
	t0     time.Time // zero: the incident has not begun
	boot   int64     // t0 in ns of CLOCK_BOOTTIME
	ended  bool      // the layout has its result
	halted bool      // everything is being reverted

	hosts   map[string]*host
	probes  map[string]*curve
	ledgers map[string]map[ledger.State]int
	loads   map[string]crowd.Second // the last of each
	judged  *report.Layout          // the last verdict so far
	stage   string                  // the last one that began
	lines   []line
	results []string // of the layouts before
}

// line is one line for people.
type line struct {
	incident string
	wall     time.Duration
	begun    bool // wall counts from T0
	text     string
	grave    bool
	warning  bool
}

// layout forgets the layout before and begins another one.
func (s *state) layout(name string, e *experiments.Experiment, inv *inventory.Inventory, p *plan.Plan) {
	*s = state{name: name, exp: e, inv: inv, plan: p, lines: s.lines, results: s.results, hosts: map[string]*host{},
		probes: map[string]*curve{}, ledgers: map[string]map[ledger.State]int{}, loads: map[string]crowd.Second{}}
	for _, h := range inv.Hosts {
		if h.Site != inventory.Internet {
			s.hosts[h.Name] = &host{live: map[string]string{}}
		}
	}
	for _, h := range e.Hypothesis {
		s.probes[h.Probe] = &curve{}
	}
	for _, l := range e.Ledger {
		s.ledgers[l.Name] = map[ledger.State]int{}
	}
}

func (s *state) incident(t0 time.Time, boot int64) { s.t0, s.boot = t0, boot }

// event takes in one event; shown says that it has a line for people.
func (s *state) event(e evidence.Event, shown bool) {
	s.happened(e)
	if shown {
		l := line{incident: e.Incident, text: clean(e.Message), grave: grave[e.Type], warning: e.Type == evidence.LeftOut}
		if !s.t0.IsZero() {
			l.wall, l.begun = e.Wall.Sub(s.t0), true
		}
		s.lines = append(s.lines, l)
		s.lines = s.lines[max(0, len(s.lines)-keepLines):]
	}
	switch e.Type {
	case evidence.StageStarted:
		s.stage = e.Stage
	case evidence.Halted:
		s.halted = true
	case evidence.LayoutEnded:
		s.ended = true
		s.results = append(s.results, clean(e.Message))
	}
}

// grave marks lines that nobody may overlook.
var grave = map[evidence.Type]bool{
	evidence.OutageBegan: true, evidence.Failed: true, evidence.Refused: true, evidence.Residue: true, evidence.Stuck: true,
	evidence.Halted: true, evidence.HypothesisBroke: true, evidence.TookOver: true, evidence.LeaseExpired: true,
}

func (s *state) sample(p probe.Sample) {
	if c := s.probes[p.Probe]; c != nil {
		c.take(p)
	}
}

func (s *state) write(w ledger.Write) {
	if l := s.ledgers[w.Ledger]; l != nil {
		l[w.State]++
	}
}

func (s *state) second(l crowd.Second) { s.loads[l.Load] = l }

func (s *state) verdict(l report.Layout) { s.judged = &l }
