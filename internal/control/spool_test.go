package control

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/firedrill-io/firedrill/internal/evidence"
)

func openSpool(t *testing.T, dir string) *Spool {
	t.Helper()
	s, err := OpenSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func appendAll(t *testing.T, s *Spool, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := s.Append(evidence.Event{Message: m}); err != nil {
			t.Fatal(err)
		}
	}
}

func pending(s *Spool, run string) (messages []string, seqs []uint64) {
	for _, e := range s.batches()[run].Events {
		messages, seqs = append(messages, e.Event.Message), append(seqs, e.Seq)
	}
	return messages, seqs
}

// What was not acknowledged is there after a restart, in order; what was is not
// sent again by the same process.
func TestSpoolKeepsWhatIsNotAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir)
	if err := s.Follow("r1"); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, "a", "b", "c")
	if err := s.ack("r1", 1); err != nil {
		t.Fatal(err)
	}
	if got, _ := pending(s, "r1"); !slices.Equal(got, []string{"b", "c"}) {
		t.Errorf("pending %v, want b c", got)
	}
	again := openSpool(t, dir)
	appendAll(t, again, "d") // belongs to r1 without being told
	got, seqs := pending(again, "r1")
	if !slices.Equal(got, []string{"a", "b", "c", "d"}) || !slices.Equal(seqs, []uint64{1, 2, 3, 4}) {
		t.Errorf("after restart %v %v", got, seqs)
	}
}

// A line torn by a power cut is skipped and nothing is glued to it.
func TestSpoolSurvivesTornLine(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir)
	if err := s.Follow("r1"); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, "a", "b")
	path := filepath.Join(dir, "r1.jsonl")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	again := openSpool(t, dir)
	appendAll(t, again, "c")
	third := openSpool(t, dir)
	if got, _ := pending(third, "r1"); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("pending %v, want a c", got)
	}
}

// A file is written anew once all of it is acknowledged, and goes on counting.
func TestSpoolCompactsAndIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir)
	if err := s.Follow("r1"); err != nil {
		t.Fatal(err)
	}
	big := string(make([]byte, 200<<10)) // six times as long in JSON
	appendAll(t, s, big, big, "lost", "also lost")
	b := s.batches()["r1"]
	if b.Dropped == 0 {
		t.Fatal("a full spool dropped nothing")
	}
	last := b.Events[len(b.Events)-1].Seq
	if err := s.ack("r1", last); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "r1.jsonl"))
	if err != nil || st.Size() > 100 {
		t.Fatalf("after all was acknowledged: %v, %v bytes", err, st.Size())
	}
	appendAll(t, s, "next")
	if _, seqs := pending(openSpool(t, dir), "r1"); len(seqs) != 1 || seqs[0] <= last {
		t.Errorf("sequence %v after %d", seqs, last)
	}
}

// Only the newest runs are kept.
func TestSpoolForgetsOldRuns(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir)
	for _, run := range []string{"r1", "r2", "r3", "r4", "r5", "r6"} {
		if err := s.Append(evidence.Event{Run: run}); err != nil {
			t.Fatal(err)
		}
	}
	pending(openSpool(t, dir), "r1")
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != maxSpoolRuns {
		t.Errorf("%d runs kept (%v), want %d", len(left), err, maxSpoolRuns)
	}
	if err := s.Append(evidence.Event{Run: "../escape"}); err == nil {
		t.Error("a run id that is a path was accepted")
	}
}
