package cpu

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// fire is a thread for each of some CPUs that uses a share of it.
type fire struct {
	threads []int
	out     atomic.Bool
	wg      sync.WaitGroup
}

// light returns when all threads burn.
func light(cpus cpuList, share float64) (*fire, error) {
	f := &fire{}
	type lit struct {
		tid int
		err error
	}
	ready := make(chan lit, len(cpus))
	// The threads must not keep the CPUs that this process has in Go's eyes from
	// those who answer the agent.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + len(cpus))
	for _, n := range cpus {
		f.wg.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
			err := settle(n)
			ready <- lit{unix.Gettid(), err}
			if err == nil {
				f.burn(share)
			}
		})
	}
	var errs []error
	for range cpus {
		l := <-ready
		f.threads = append(f.threads, l.tid)
		errs = append(errs, l.err)
	}
	if err := errors.Join(errs...); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}

// settle binds this thread to a CPU, and has it preempt nobody: the agent and the
// guardian get the CPU when they wake up, as does whoever else does.
func settle(n int) error {
	if err := (cpuList{n}).setAffinity(0); err != nil {
		return fmt.Errorf("bind a thread to CPU %d: %w", n, err)
	}
	batch := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH}
	if err := unix.SchedSetAttr(0, batch, 0); err != nil {
		return fmt.Errorf("make a thread preempt nobody: %w", err)
	}
	return nil
}

// Keep implements keep.Hold: the threads go on by themselves.
func (*fire) Keep() (changed bool, err error) { return false, nil }

// What implements keep.Hold.
func (f *fire) What() []int { return f.threads }

// Release ends the threads and waits for them.
func (f *fire) Release() {
	f.out.Store(true)
	f.wg.Wait()
	runtime.SetDefaultGOMAXPROCS()
}

const (
	// slot is what the share is a share of: short beside what people and
	// programs notice, long beside a turn of the scheduler.
	slot = 10 * time.Millisecond
	// mostOwed is how much of the time that others had is made up for.
	mostOwed = 5 * slot
)

// burn uses share of the time until the fire is out: in each slot what the thread's
// own clock lacks of it, then it sleeps.
func (f *fire) burn(share float64) {
	ran, last := threadTime(), fault.BootTime(clock(unix.CLOCK_BOOTTIME))
	for owed := time.Duration(0); !f.out.Load(); sleepUntil(last.Add(slot)) {
		now := fault.BootTime(clock(unix.CLOCK_BOOTTIME))
		owed = min(owed+time.Duration(share*float64(now.Sub(last))), mostOwed)
		last = now
		for owed > 0 && !f.out.Load() {
			spin()
			before := ran
			ran = threadTime()
			owed -= ran - before
		}
	}
}

// spin is work for some 20 µs.
func spin() {
	x := uint64(1)
	for range 20_000 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink.Store(x)
}

// sink keeps the compiler from leaving the work out.
var sink atomic.Uint64

// threadTime is how long this thread was on a CPU.
func threadTime() time.Duration { return time.Duration(clock(unix.CLOCK_THREAD_CPUTIME_ID)) }

// clock reads a clock that each thread has. The raw system calls here keep Go from
// looking for other work, on other threads, each time that this one wakes up.
func clock(id uintptr) int64 {
	var ts unix.Timespec
	_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	return ts.Nano()
}

// sleepUntil returns at an instant of CLOCK_BOOTTIME, at once if it has passed.
func sleepUntil(at fault.BootTime) {
	ts := unix.NsecToTimespec(int64(at))
	for clock(unix.CLOCK_BOOTTIME) < int64(at) { // again after a signal
		_, _, _ = unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_BOOTTIME, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	}
}
