package lab

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func pair(t *testing.T) (*wire, *wire) {
	t.Helper()
	ours, theirs, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	other, err := fileWire(theirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(ours.close(), other.close()) })
	return ours, other
}

// Messages arrive whole and in order, with their descriptors; the end of the
// other side is io.EOF.
func TestWire(t *testing.T) {
	a, b := pair(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	long := strings.Repeat("x", maxMessage-100)
	if err := errors.Join(a.send(order{Op: "first"}, w), a.send(order{Op: long}), w.Close()); err != nil {
		t.Fatal(err)
	}
	var o order
	files, err := b.receive(&o)
	if err != nil || o.Op != "first" || len(files) != 1 {
		t.Fatalf("got %q, %d files, %v", o.Op, len(files), err)
	}
	if _, err := files[0].WriteString("through"); err != nil {
		t.Fatal(err)
	}
	closeFiles(files)
	if text, _ := io.ReadAll(r); string(text) != "through" {
		t.Errorf("through the descriptor came %q", text)
	}
	if files, err := b.receive(&o); err != nil || o.Op != long || len(files) != 0 {
		t.Fatalf("long message: %d bytes, %d files, %v", len(o.Op), len(files), err)
	}
	if err := a.send(order{Op: long + long}); err == nil {
		t.Error("a message that is too long was sent")
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.receive(&o); !errors.Is(err, io.EOF) {
		t.Errorf("after the end of the other side: %v", err)
	}
}

// A state file that speaks of another folder is not followed: what is removed
// is computed from it.
func TestStateIsBoundToItsFolder(t *testing.T) {
	dir := t.TempDir() + "/abc"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	good := State{ID: "abc", Dir: dir}
	if err := good.write(); err != nil {
		t.Fatal(err)
	}
	if _, err := readState(dir); err != nil {
		t.Error(err)
	}
	for _, bad := range []State{{ID: "abd", Dir: dir}, {ID: "abc", Dir: "/"}} {
		moved := bad
		moved.Dir = dir
		if err := moved.write(); err != nil {
			t.Fatal(err)
		}
		if bad.Dir != dir {
			b := strings.ReplaceAll(string(must(os.ReadFile(good.path()))), dir, bad.Dir)
			if err := os.WriteFile(good.path(), []byte(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := readState(dir); err == nil {
			t.Errorf("followed %+v", s)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
