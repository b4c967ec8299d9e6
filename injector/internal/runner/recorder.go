package runner

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// recorder writes the run log, events.jsonl, and the lines in the terminal.
type recorder struct {
	out io.Writer

	mu     sync.Mutex
	file   *os.File
	log    *bufio.Writer
	layout string
	plan   *plan.Plan
	t0     time.Time // zero: the incident has not begun
}

func newRecorder(path string, out io.Writer) (*recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create run log: %w", err)
	}
	return &recorder{out: out, file: f, log: bufio.NewWriter(f)}, nil
}

// begin sets the layout that later events belong to.
func (r *recorder) begin(layout string, p *plan.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layout, r.plan, r.t0 = layout, p, time.Time{}
}

// incident starts the incident's clock.
func (r *recorder) incident(t0 time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t0 = t0
}

// begun says whether the incident's clock runs.
func (r *recorder) begun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.t0.IsZero()
}

// event records something the injector itself saw or did, and shows it.
func (r *recorder) event(e evidence.Event) {
	if e.Wall.IsZero() {
		e.Wall = time.Now()
	}
	if e.Boot == 0 {
		e.Boot = bootTime()
	}
	if e.Source == "" {
		e.Source = evidence.FromInjector
	}
	r.record(e, true)
}

// record writes e to the log, and shows it when show is set.
func (r *recorder) record(e evidence.Event, show bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Layout == "" {
		e.Layout = r.layout
	}
	if e.Incident == "" && !r.t0.IsZero() && r.plan != nil {
		e.Incident = clock(r.plan.IncidentAt(e.Wall.Sub(r.t0)))
	}
	if b, err := json.Marshal(e); err == nil {
		_, _ = r.log.Write(append(b, '\n'))
	}
	if show && e.Message != "" {
		r.show(e)
	}
}

// clock rounds an instant to what the pace lets one tell apart: seconds in the
// first ten minutes, minutes afterwards.
func clock(i experiments.Instant) string {
	unit := time.Minute
	if time.Duration(i) < 10*time.Minute {
		unit = time.Second
	}
	return experiments.Instant(time.Duration(i).Truncate(unit)).String()
}

// show prints one line: incident clock, wall clock from T0, what happened.
func (r *recorder) show(e evidence.Event) {
	wall := ""
	if !r.t0.IsZero() {
		wall = fmt.Sprintf("%7.1fs", e.Wall.Sub(r.t0).Seconds())
	}
	_, _ = fmt.Fprintf(r.out, "%8s %8s  %s\n", e.Incident, wall, strings.ReplaceAll(e.Message, "\n", "; "))
}

// say prints and records a line that belongs to no stage.
func (r *recorder) say(typ evidence.Type, format string, args ...any) {
	r.event(evidence.Event{Type: typ, Message: fmt.Sprintf(format, args...)})
}

// close flushes and syncs the log.
func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.log.Flush(); err != nil {
		return fmt.Errorf("write run log: %w", err)
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("sync run log: %w", err)
	}
	return r.file.Close()
}

// bootTime reads CLOCK_BOOTTIME in nanoseconds (clock_gettime(2)).
func bootTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}
