package guardian

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// scripted is a fault whose Revert answers as told.
type scripted struct {
	fault.Driver // the other methods are not called

	mu    sync.Mutex
	err   error
	state fault.State
	order []string
}

func (s *scripted) Revert(_ context.Context, t fault.Target, c json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, t.Host+string(c))
	return s.err
}

func (s *scripted) Observe(context.Context, fault.Target, json.RawMessage) (fault.Observation, error) {
	return fault.Observation{State: s.state}, nil
}

func TestUndo(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      error
		state    fault.State
		rebooted bool
		want     journal.Phase
	}{
		{"reverted", nil, fault.Absent, false, journal.Reverted},
		{"says it is, and is not", nil, fault.Partial, false, ""},
		{"fails", errors.New("no"), fault.Absent, false, ""},
		{"gone", fault.ErrGone, "", false, journal.Gone},
		{"somebody else's", fault.ErrStuck, fault.Present, false, journal.Stuck},
		{"rebooted", nil, fault.Absent, true, journal.EndedByPowerloss},
		{"gone with the boot", fault.ErrGone, "", true, journal.EndedByPowerloss},
		{"still there after the boot", nil, fault.Present, true, ""},
	} {
		d := &scripted{err: c.err, state: c.state}
		got, err := Undo(context.Background(), d, fault.Target{}, []byte("{}"), c.rebooted)
		if got != c.want || got == "" && err == nil {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func reverter(t *testing.T, d fault.Driver) *Reverter {
	j, err := journal.Open(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	for _, id := range []string{"1", "2", "3"} {
		err := j.Intent(journal.Record{ID: fault.InjectionID(id), Kind: "k", Target: &fault.Target{Host: "h"}, Change: []byte(id), BootID: "b"})
		if err != nil {
			t.Fatal(err)
		}
	}
	return &Reverter{Journal: j, Drivers: Drivers{"k": d}, By: journal.ByRevert, BootID: "b", Logger: slog.New(slog.DiscardHandler)}
}

// The newest change of a host is undone first: it may stand on an older one.
func TestNewestFirst(t *testing.T) {
	d := &scripted{state: fault.Absent}
	r := reverter(t, d)
	if left := r.All(context.Background()); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
	if len(d.order) != 3 || d.order[0] != "h3" || d.order[2] != "h1" {
		t.Errorf("reverted in the order %v", d.order)
	}
	for _, rec := range r.Journal.Past() {
		if rec.Phase != journal.Reverted || rec.By != journal.ByRevert {
			t.Errorf("%+v", rec)
		}
	}
}

// What can't be reverted is tried again until time is up, and stays live.
func TestTriesAgain(t *testing.T) {
	d := &scripted{err: errors.New("no"), state: fault.Present}
	r := reverter(t, d)
	ctx, cancel := context.WithTimeout(context.Background(), 3*undoRetry)
	defer cancel()
	if left := r.All(ctx); len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	if len(d.order) < 6 {
		t.Errorf("tried %d times", len(d.order))
	}
}

func TestFenceOfNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	gone := ProcessID{PID: 1 << 30, Start: 1}
	if gone.Alive() {
		t.Error("nobody is alive")
	}
	if err := Fence(ctx, gone, []string{"/sys/fs/cgroup/no such group"}, []ProcessID{gone}); err != nil {
		t.Error(err)
	}
}
