package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/internal/evidence"
)

// Bounds of a Spool. A full file drops what comes next and counts it; the
// injector sees the gap in the sequence.
const (
	maxSpoolFile = 2 << 20 // bytes of one run
	maxSpoolRuns = 4       // older runs' evidence is removed
)

// Spool keeps an agent's evidence on disk until an injector has acknowledged
// it: one file a run, one event a line. Serve pumps it.
type Spool struct {
	dir string

	mu      sync.Mutex
	runs    map[string]*spoolFile
	current string
	wake    chan struct{}
}

// OpenSpool opens the spool in dir, which is created. The files are read at the
// first use, not before: whoever takes over from a dead agent under the
// journal's lock adds to them, and the next agent opens its spool before it has
// that lock.
func OpenSpool(dir string) (*Spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create spool: %w", err)
	}
	return &Spool{dir: dir, wake: make(chan struct{}, 1)}, nil
}

// load reads what an earlier process left unacknowledged; mu is held.
func (s *Spool) load() error {
	if s.runs != nil {
		return nil
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read spool: %w", err)
	}
	runs := map[string]*spoolFile{}
	names := newestRuns(entries)
	for _, run := range names {
		if runs[run], err = openSpoolFile(filepath.Join(s.dir, run+".jsonl")); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		s.current = names[0]
	}
	s.runs = runs
	for _, e := range entries {
		if runs[strings.TrimSuffix(e.Name(), ".jsonl")] == nil {
			_ = os.Remove(filepath.Join(s.dir, e.Name()))
		}
	}
	return nil
}

// newestRuns returns the ids of the runs to keep, the newest first.
func newestRuns(entries []os.DirEntry) []string {
	age := map[string]time.Time{}
	var runs []string
	for _, e := range entries {
		run, ok := strings.CutSuffix(e.Name(), ".jsonl")
		info, err := e.Info()
		if !ok || err != nil || !runID.MatchString(run) {
			continue
		}
		age[run] = info.ModTime()
		runs = append(runs, run)
	}
	slices.SortFunc(runs, func(a, b string) int { return age[b].Compare(age[a]) })
	return runs[:min(len(runs), maxSpoolRuns)]
}

// Append stores e and has it sent when the injector can be reached. An event
// without a run belongs to the run that last commanded this agent.
func (s *Spool) Append(e evidence.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	run := e.Run
	if run == "" {
		run = s.current
	}
	if run == "" {
		return nil // nobody ever commanded this agent: there is no one to tell
	}
	f, err := s.file(run)
	if err != nil {
		return err
	}
	e.Run = run
	if err := f.append(e); err != nil {
		return err
	}
	s.notify()
	return nil
}

// Follow makes run the one that events without a run belong to.
func (s *Spool) Follow(run string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	if _, err := s.file(run); err != nil {
		return err
	}
	s.current = run
	return nil
}

// file returns the file of run, opening it when there is none; mu is held.
func (s *Spool) file(run string) (*spoolFile, error) {
	if f := s.runs[run]; f != nil {
		return f, nil
	}
	if !runID.MatchString(run) {
		return nil, fmt.Errorf("spool evidence: bad run id %q", run)
	}
	f, err := openSpoolFile(filepath.Join(s.dir, run+".jsonl"))
	if err != nil {
		return nil, err
	}
	s.runs[run] = f
	return f, nil
}

func (s *Spool) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Close closes the files; what is unacknowledged stays on disk.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, f := range s.runs {
		errs = append(errs, f.log.Close())
	}
	s.runs = nil
	return errors.Join(errs...)
}
