package live

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// Config is what a View works with.
type Config struct {
	In, Out   *os.File // the terminal
	Env       []string // of the process: TERM, NO_COLOR, …
	Halt      func()   // halts the run and reverts everything
	Interrupt func()   // what Ctrl-C does without a view
	// Keeper, if set, is called before the terminal is changed. It returns what
	// tells the keeper that the terminal has been put right.
	Keeper func() (released func(), err error)
}

// View shows a run on a terminal. It is a runner.Observer. Close must be called
// when the run is over, however it ended.
type View struct {
	config Config

	mu      sync.Mutex
	s       state
	kept    []string // lines that are printed when the picture is gone
	log     strings.Builder
	t0      time.Time
	program *tea.Program
	done    chan struct{} // closed when the program has put the terminal right
	closed  bool
	broken  bool // the program ended before the run
}

// New returns a View that takes the terminal when the first layout begins.
func New(c Config) *View { return &View{config: c} }

// Layout begins a layout, and with the first one the picture.
func (v *View) Layout(name string, e *experiments.Experiment, inv *inventory.Inventory, p *plan.Plan) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.layout(name, e, inv, p)
	if v.program == nil && !v.closed {
		v.start()
	}
}

// start takes the terminal; v.mu is held.
func (v *View) start() {
	released := func() {}
	if v.config.Keeper != nil {
		if r, err := v.config.Keeper(); err == nil {
			released = r
		}
	}
	m := model{draw: v.draw, halt: v.config.Halt, interrupt: v.config.Interrupt}
	v.program = tea.NewProgram(m, tea.WithInput(v.config.In), tea.WithOutput(v.config.Out), tea.WithEnvironment(v.config.Env),
		tea.WithoutSignalHandler(), tea.WithFPS(int(time.Second/pace)))
	v.done = make(chan struct{})
	go func() {
		defer close(v.done)
		defer released()
		if _, err := v.program.Run(); err != nil {
			v.broke(err)
		}
	}()
}

// broke goes on with plain lines: a run must not become blind with its view.
func (v *View) broke(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.broken = true
	_, _ = fmt.Fprintf(v.config.Out, "the live view broke (%v); the run goes on\n", err)
}

// draw draws what is known now; the program calls it.
func (v *View) draw(m model) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	f := frame{look: look{colour: colour(v.config.Env)}, s: &v.s, now: time.Now(), boot: bootTime(),
		columns: m.columns, rows: m.rows, minute: m.minute, asking: m.asking}
	return f.draw()
}

// Incident starts the incident's clock.
func (v *View) Incident(t0 time.Time, boot int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.t0 = t0
	if !t0.IsZero() { // the last picture stands until the end
		v.s.incident(t0, boot)
	}
}

// lasting are the events whose lines are printed when the picture is gone.
var lasting = map[evidence.Type]bool{
	evidence.RunStarted: true, evidence.LayoutEnded: true, evidence.RunEnded: true, evidence.Refused: true, evidence.Failed: true,
	evidence.Halted: true, evidence.Residue: true, evidence.Foreign: true, evidence.Stuck: true, evidence.TookOver: true,
	evidence.LeaseExpired: true, evidence.HypothesisBroke: true, evidence.LabDown: true,
	evidence.LeftOut: true,
}

// Event takes in one event.
func (v *View) Event(e evidence.Event, shown bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.event(e, shown)
	switch {
	case shown && v.broken:
		_, _ = fmt.Fprintln(v.config.Out, e.Line(v.t0))
	case shown && lasting[e.Type]:
		v.kept = append(v.kept, e.Line(v.t0))
	}
}

// Sample takes in one answer to a probe.
func (v *View) Sample(s probe.Sample) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.sample(s)
}

// Write takes in one numbered write.
func (v *View) Write(w ledger.Write) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.write(w)
}

// Second takes in one second of a load.
func (v *View) Second(s crowd.Second) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.second(s)
}

// Judged takes in the verdict so far.
func (v *View) Judged(l report.Layout) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.s.verdict(l)
}

// End takes the picture away and prints what should stay.
func (v *View) End() { v.Close() }

// Close gives the terminal back and prints the lines that should stay. It may be
// called more than once.
func (v *View) Close() {
	v.mu.Lock()
	program, done, closed := v.program, v.done, v.closed
	v.closed = true
	v.mu.Unlock()
	if closed {
		return
	}
	if program != nil {
		program.Quit()
		<-done
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, text := range v.kept {
		_, _ = fmt.Fprintln(v.config.Out, text)
	}
	_, _ = io.WriteString(os.Stderr, v.log.String())
}

// Log is a writer for the injector's own log: what is written while the picture
// stands comes out when it is gone.
func (v *View) Log() io.Writer { return logWriter{v} }

type logWriter struct{ v *View }

func (w logWriter) Write(b []byte) (int, error) {
	w.v.note(string(b))
	return len(b), nil
}

func (v *View) note(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		_, _ = io.WriteString(os.Stderr, text)
		return
	}
	v.log.WriteString(text)
}

// colour follows https://no-color.org: any value but an empty one means none.
func colour(env []string) bool {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, "NO_COLOR="); ok && value != "" {
			return false
		}
	}
	return true
}

// bootTime reads CLOCK_BOOTTIME in nanoseconds (clock_gettime(2)).
func bootTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}
