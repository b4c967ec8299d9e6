package probe_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// fakeClock reads the bubble's clock.
func fakeClock() int64 { return time.Now().UnixNano() }

// A loop keeps its rate while every call hangs: that is what makes it open.
func TestLoopNeverWaitsForAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second-time.Millisecond)
		defer cancel()
		start, calls := fakeClock(), atomic.Int64{}
		probe.Loop(ctx, fakeClock, 100*time.Millisecond, 1000, func(n int, due int64, saturated bool) {
			calls.Add(1)
			if late := fakeClock() - due; late != 0 {
				t.Errorf("call %d was %d ns late", n, late)
			}
			if want := start + int64(n-1)*int64(100*time.Millisecond); due != want {
				t.Errorf("call %d was due %d, want %d", n, due, want)
			}
			time.Sleep(time.Hour)
		})
		if calls.Load() != 100 {
			t.Errorf("%d calls in 10 s at 10 a second", calls.Load())
		}
	})
}

// With too many calls open the loop says so and does not pretend to have sent.
func TestLoopReportsSaturation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second-time.Millisecond)
		defer cancel()
		var sent, full atomic.Int64
		probe.Loop(ctx, fakeClock, 100*time.Millisecond, 3, func(_ int, _ int64, saturated bool) {
			if saturated {
				full.Add(1)
				return
			}
			sent.Add(1)
			time.Sleep(time.Hour)
		})
		if sent.Load() != 3 || full.Load() != 7 {
			t.Errorf("sent %d, saturated %d; want 3 and 7", sent.Load(), full.Load())
		}
	})
}

// After a stall every call that was due is made up for, with its true due time.
func TestLoopCatchesUpAfterAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second-time.Millisecond)
		defer cancel()
		var stalled atomic.Int64
		clock := func() int64 { return fakeClock() + stalled.Load() }
		var late, all atomic.Int64
		probe.Loop(ctx, clock, 100*time.Millisecond, 100, func(n int, due int64, _ bool) {
			if n == 5 {
				stalled.Store(int64(time.Second)) // the clock jumps as if we had not run
			}
			all.Add(1)
			if clock()-due > int64(50*time.Millisecond) {
				late.Add(1)
			}
		})
		if all.Load() < 25 || late.Load() < 8 {
			t.Errorf("%d calls, %d late; want at least 25 and 8", all.Load(), late.Load())
		}
	})
}
