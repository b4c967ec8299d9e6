package fault

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Now is the present instant on CLOCK_BOOTTIME.
func Now() BootTime {
	var ts unix.Timespec
	// The clock exists since Linux 2.6.39 and the call has no other way to fail.
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return BootTime(ts.Nano())
}

// Sub is the time from u to b.
func (b BootTime) Sub(u BootTime) time.Duration { return time.Duration(b - u) }

// Add is the instant d after b.
func (b BootTime) Add(d time.Duration) BootTime { return b + BootTime(d) }

// How a start was waited for: Applied.Timer.
const (
	TimerFIFO  = "fifo"  // a real-time thread in clock_nanosleep(2)
	TimerPlain = "timer" // the same without real-time scheduling: SCHED_FIFO was not permitted
)

// fifoPriority is above every ordinary process and below kernel threads that
// are real-time themselves (they run at 50).
const fifoPriority = 10

// alertSpan is how long before its instant a start leaves the cancellable timer
// for the exact sleep. It covers the worst lateness of a Go timer on a busy
// host (22 ms seen) and bounds how long a cancel may go unnoticed.
const alertSpan = 40 * time.Millisecond

// coarseStep bounds one sleep of the coarse wait: Go timers stand still while
// the machine is suspended, CLOCK_BOOTTIME does not.
const coarseStep = time.Second

type waited struct {
	woke  BootTime
	timer string
}

// waitUntil returns at the instant at, or at once if it has passed or is zero.
// The caller has locked its thread and gives it up afterwards.
func waitUntil(ctx context.Context, at BootTime) (waited, error) {
	for {
		if err := ctx.Err(); err != nil {
			return waited{woke: Now(), timer: TimerPlain}, fmt.Errorf("wait for the start: %w", err)
		}
		left := at.Sub(Now()) - alertSpan
		if left <= 0 {
			break
		}
		t := time.NewTimer(min(left, coarseStep))
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
	}
	timer := TimerPlain
	if raisePriority() == nil {
		timer = TimerFIFO
	}
	err := sleepUntil(at)
	w := waited{woke: Now(), timer: timer}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("wait for the start: %w", ctx.Err())
	}
	return w, err
}

// raisePriority makes this thread real-time; threads it creates are not.
func raisePriority() error {
	return unix.SchedSetAttr(0, &unix.SchedAttr{
		Size:     unix.SizeofSchedAttr,
		Policy:   unix.SCHED_FIFO,
		Flags:    unix.SCHED_FLAG_RESET_ON_FORK,
		Priority: fifoPriority,
	}, 0)
}

// holdSpan is how long before its instant the thread stops letting the Go
// scheduler in: it keeps its right to run Go code, which it would have to win
// back after an ordinary system call.
const holdSpan = 2 * time.Millisecond

func sleepUntil(at BootTime) error {
	ts := unix.NsecToTimespec(int64(at.Add(-holdSpan)))
	for Now() < at.Add(-holdSpan) {
		err := unix.ClockNanosleep(unix.CLOCK_BOOTTIME, unix.TIMER_ABSTIME, &ts, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("sleep until the start: %w", err)
		}
	}
	ts = unix.NsecToTimespec(int64(at))
	for Now() < at {
		_, _, errno := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_BOOTTIME, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return fmt.Errorf("sleep until the start: %w", errno)
		}
	}
	return nil
}
