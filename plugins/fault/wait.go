package fault

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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
// The caller has locked its thread, once, and gives it up afterwards.
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
	woke, err := sleepUntil(at)
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("wait for the start: %w", ctx.Err())
	}
	return waited{woke: woke, timer: timer}, err
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

// lowerPriority makes a thread of this process an ordinary one again.
func lowerPriority(tid int) {
	// It fails only if the thread has ended.
	_ = unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr}, 0)
}

// holdSpan is how long before its instant the thread stops letting the Go
// scheduler in. After 10 ms without a break Go marks a goroutine to be broken
// off at its next function call, and to be taken up again by an ordinary thread
// that a busy host may hold back for 20 ms: the span from the break that
// breathe takes to the first call of the fault is shorter than that.
const holdSpan = 8 * time.Millisecond

// sleepUntil returns the instant at which the thread woke. It may have moved to
// another thread, which then has the priority of the first.
func sleepUntil(at BootTime) (woke BootTime, err error) {
	ts := unix.NsecToTimespec(int64(at.Add(-holdSpan)))
	for Now() < at.Add(-holdSpan) {
		err := unix.ClockNanosleep(unix.CLOCK_BOOTTIME, unix.TIMER_ABSTIME, &ts, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return Now(), fmt.Errorf("sleep until the start: %w", err)
		}
	}
	if Now() < at {
		breathe()
	}
	ts = unix.NsecToTimespec(int64(at))
	woke, errno := hold(&ts, at)
	if errno != 0 {
		return woke, fmt.Errorf("sleep until the start: %w", errno)
	}
	return woke, nil
}

// breathe takes the break that Go wants now rather than after the start. The
// thread is unlocked for it, so that it picks its goroutine up by itself; a
// locked one would have to wait for an ordinary thread to hand it over.
func breathe() {
	before := unix.Gettid()
	runtime.UnlockOSThread()
	runtime.Gosched()
	runtime.LockOSThread()
	if unix.Gettid() != before {
		lowerPriority(before)
		_ = raisePriority() // permitted or not as it was for the first thread
	}
}

// hold sleeps and reads the clock without a function call at which Go could
// break it off.
//
//go:nosplit
func hold(ts *unix.Timespec, at BootTime) (woke BootTime, errno unix.Errno) {
	for {
		var now unix.Timespec
		_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_BOOTTIME, uintptr(unsafe.Pointer(&now)), 0)
		if woke = BootTime(now.Sec*int64(time.Second) + now.Nsec); woke >= at {
			return woke, 0
		}
		_, _, errno = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_BOOTTIME, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(ts)), 0, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return woke, errno
		}
	}
}
