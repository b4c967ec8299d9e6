package partition

import (
	"errors"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// A cut that the kernel has healed does not come back by a late renewal.
func TestLateRenewalDoesNotCutAgain(t *testing.T) {
	w := traffictest.New(t)
	p := New()
	c, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{everybody}}})
	faulttest.Must(t, err)
	faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, traffictest.In(200*time.Millisecond)))
	time.Sleep(250 * time.Millisecond)
	if err := p.Apply(t.Context(), w.Target, c, 0, traffictest.In(time.Minute)); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("renewed: %v", err)
	}
	if !traffictest.Reaches(t, w.A, w.B, traffictest.AddrB+":5001", "") {
		t.Error("cut again")
	}
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
}

// A queue length that somebody set meanwhile is theirs.
func TestQueueLengthOfOthersIsLeft(t *testing.T) {
	w := traffictest.New(t)
	faulttest.Must(t, w.H.LinkSetTxQLen(w.Eth0(t), 0))
	p := New()
	c := traffictest.Inject(t, w, p, Params{sel{To: []string{everybody}}})
	faulttest.Must(t, w.H.LinkSetTxQLen(w.Eth0(t), 77))
	faulttest.Must(t, p.Revert(t.Context(), w.Target, c))
	if n := w.Eth0(t).Attrs().TxQLen; n != 77 {
		t.Errorf("queue length %d, want 77", n)
	}
}
