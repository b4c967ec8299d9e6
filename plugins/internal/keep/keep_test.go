package keep

import (
	"errors"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// What is kept ends at its end, which a renewal moves, and with Stop at once.
func TestKeeper(t *testing.T) {
	var k Keeper
	ended := make(chan fault.BootTime, 1)
	run := func(kept *Kept) {
		for kept.Wait(fault.Now().Add(10 * time.Millisecond)) {
		}
		ended <- fault.Now()
	}
	starts := 0
	start := func() (func(*Kept), error) { starts++; return run, nil }
	end := fault.Now().Add(300 * time.Millisecond)
	for _, until := range []fault.BootTime{fault.Now().Add(50 * time.Millisecond), end} {
		if err := k.Apply("one", until, start); err != nil {
			t.Fatal(err)
		}
	}
	if at := <-ended; at < end || starts != 1 {
		t.Errorf("ended %v before its end, started %d times", end.Sub(at), starts)
	}
	if err := k.Apply("two", 0, start); err != nil {
		t.Fatal(err)
	}
	if until, ok := k.Until("two"); until != 0 || !ok {
		t.Errorf("without an end: %v, %v", until, ok)
	}
	k.Stop("two")
	<-ended
	k.Stop("two")
	if _, ok := k.Until("two"); ok {
		t.Error("it is still kept after Stop")
	}
}

// What cannot be started is not kept, and is tried again.
func TestKeeperStartsAgain(t *testing.T) {
	var k Keeper
	broken := errors.New("broken")
	if err := k.Apply("one", 0, func() (func(*Kept), error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
	if err := k.Apply("one", 0, func() (func(*Kept), error) { return nil, nil }); err != nil {
		t.Errorf("nothing to be kept: %v", err)
	}
	if _, ok := k.Until("one"); ok {
		t.Error("something is kept")
	}
}
