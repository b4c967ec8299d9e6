package runner

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// recorder writes the run log, events.jsonl, and tells the observer.
type recorder struct {
	observer Observer

	mu     sync.Mutex
	file   *os.File
	log    *bufio.Writer
	layout string
	plan   *plan.Plan
	t0     time.Time // zero: the incident has not begun
}

func newRecorder(path string, observer Observer) (*recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create run log: %w", err)
	}
	return &recorder{observer: observer, file: f, log: bufio.NewWriter(f)}, nil
}

// begin sets the layout that later events belong to.
func (r *recorder) begin(l *layout) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layout, r.plan, r.t0 = l.name, l.plan, time.Time{}
	r.observer.Layout(l.name, l.exp, l.inv, l.plan)
}

// over says that later events belong to no layout.
func (r *recorder) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.layout, r.plan, r.t0 = "", nil, time.Time{}
	r.observer.Incident(time.Time{}, 0)
}

// incident starts the incident's clock, given by both clocks.
func (r *recorder) incident(t0 time.Time, boot int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.t0 = t0
	r.observer.Incident(t0, boot)
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
	r.observer.Event(e, show && e.Message != "")
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
