package bpf

import (
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/firedrill-io/firedrill/internal/need"
)

// The kernel's verifier takes the programs, and before it has looked at more
// instructions than a start can wait for.
func TestVerifierTakesThem(t *testing.T) {
	need.Check(t, need.Root)
	began := time.Now()
	var o CutObjects
	if err := LoadCutObjects(&o, nil); err != nil {
		fatal(t, err)
	}
	defer o.Close()
	var b BackObjects
	if err := LoadBackObjects(&b, nil); err != nil {
		fatal(t, err)
	}
	defer b.Close()
	t.Logf("loaded in %v", time.Since(began))
	for name, p := range map[string]*ebpf.Program{"fd_in": o.FdIn, "fd_out": o.FdOut, "fd_back": b.FdBack} {
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		n, ok := info.VerifiedInstructions()
		if !ok {
			continue // before 5.16
		}
		t.Logf("%s: %d instructions looked at", name, n)
		if n > 20_000 {
			t.Errorf("%s: the verifier looked at %d instructions", name, n)
		}
	}
}

// fatal shows all that the verifier had to say.
func fatal(t *testing.T, err error) {
	t.Helper()
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) {
		t.Fatalf("%+v", refused)
	}
	t.Fatal(err)
}
