package keep

import (
	"errors"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// A mark is made once, changed only while it is there, and what a killed process
// left half written is neither read nor in the way.
func TestMark(t *testing.T) {
	need.Check(t, need.Root)
	m := MarkOf[int]("test", NewOwner())
	t.Cleanup(func() { _ = m.Remove() })
	if err := m.Update(1); !errors.Is(err, ErrNoMark) {
		t.Errorf("update of none: %v", err)
	}
	if _, err := m.Read(); !errors.Is(err, ErrNoMark) {
		t.Errorf("read of none: %v", err)
	}
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(m.fresh(), []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Read(); !errors.Is(err, ErrNoMark) {
		t.Errorf("read of a half one: %v", err)
	}
	for i, want := range []bool{true, false} {
		if made, err := m.Make(2 + i); err != nil || made != want {
			t.Errorf("make %d: %v, %v", i+1, made, err)
		}
	}
	if err := m.Update(4); err != nil {
		t.Error(err)
	}
	if v, err := m.Read(); v != 4 || err != nil {
		t.Errorf("read %d, %v", v, err)
	}
	if err := os.WriteFile(m.fresh(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(m.fresh()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a half written one stays: %v", err)
	}
}
