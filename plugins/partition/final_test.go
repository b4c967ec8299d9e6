package partition

import (
	"errors"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// A cut that the kernel has healed does not come back by a late renewal.
func TestLateRenewalDoesNotCutAgain(t *testing.T) {
	w := newWire(t)
	p := New()
	c, err := p.Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	must(t, err)
	must(t, p.Apply(t.Context(), w.target, c, 0, in(200*time.Millisecond)))
	time.Sleep(250 * time.Millisecond)
	if err := p.Apply(t.Context(), w.target, c, 0, in(time.Minute)); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("renewed: %v", err)
	}
	if !reaches(t, w.a, w.b, addrB+":5001", "") {
		t.Error("cut again")
	}
	must(t, p.Revert(t.Context(), w.target, c))
}

// A queue length that somebody set meanwhile is theirs.
func TestQueueLengthOfOthersIsLeft(t *testing.T) {
	w := newWire(t)
	must(t, w.h.LinkSetTxQLen(w.eth0(t), 0))
	p := New()
	c := w.inject(t, p, Params{To: []string{everybody}})
	must(t, w.h.LinkSetTxQLen(w.eth0(t), 77))
	must(t, p.Revert(t.Context(), w.target, c))
	if n := w.eth0(t).Attrs().TxQLen; n != 77 {
		t.Errorf("queue length %d, want 77", n)
	}
}
