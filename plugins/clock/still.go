package clock

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// still runs act while all threads of a process stand still outside the code
// from low to high. It takes less than a millisecond as a rule. Should this
// process die meanwhile, the kernel lets the threads go (ptrace(2)).
func still(p process.ID, low, high uint64, act func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // a thread is traced by a thread; never unlocked, so it ends here
		done <- func() error {
			for end := time.Now().Add(stopTime); ; time.Sleep(time.Millisecond) {
				inside, err := tryStill(p, low, high, act)
				if err != nil || !inside {
					return err
				}
				if time.Now().After(end) {
					return fmt.Errorf("%s reads the clock all the time: no moment found to change the code", p)
				}
			}
		}()
	}()
	return <-done
}

// tryStill does nothing if a thread is inside.
func tryStill(p process.ID, low, high uint64, act func() error) (inside bool, err error) {
	s := stopped{}
	defer s.letGo()
	if err := s.stopAll(p); err != nil {
		return false, err
	}
	if len(s) == 0 {
		return false, fmt.Errorf("%s: %w", p, process.ErrEnded)
	}
	for tid := range s {
		if out, err := s.stepOut(tid, low, high); err != nil || !out {
			return !out, err
		}
	}
	return false, act()
}

// mostSteps is more than any function of the vDSO takes.
const mostSteps = 2000

// stepOut lets one thread go on, instruction by instruction, until it is outside
// of the code from low to high. It gives up before a signal: that is delivered
// when all threads go on.
func (s stopped) stepOut(tid int, low, high uint64) (out bool, err error) {
	for range mostSteps {
		pc, err := counter(tid)
		if err != nil {
			return false, fmt.Errorf("read registers of thread %d: %w", tid, err)
		}
		if pc < low || pc >= high {
			return true, nil
		}
		if s[tid] != 0 {
			return false, nil
		}
		if err := unix.PtraceSingleStep(tid); err != nil {
			return false, fmt.Errorf("step thread %d: %w", tid, err)
		}
		if err := s.await(tid); err != nil {
			return false, fmt.Errorf("step thread %d: %w", tid, err)
		}
		if _, there := s[tid]; !there {
			return true, nil // it ended
		}
	}
	return false, nil
}

// stopped are traced threads that stand still, each with the signal that it was
// about to get, or 0.
type stopped map[int]unix.Signal

// stopAll stops all threads, also those that are started meanwhile.
func (s stopped) stopAll(p process.ID) error {
	for {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.PID))
		if err != nil {
			return fmt.Errorf("%s: %w", p, process.ErrEnded)
		}
		more := false
		for _, t := range threads {
			tid, _ := strconv.Atoi(t.Name())
			if _, ok := s[tid]; ok {
				continue
			}
			more = true
			if err := s.stop(tid); err != nil {
				return fmt.Errorf("stop thread %d of %s: %w", tid, p, err)
			}
		}
		if !more {
			return nil
		}
	}
}

func (s stopped) stop(tid int) error {
	switch err := unix.PtraceSeize(tid); {
	case errors.Is(err, unix.ESRCH):
		return nil // ended meanwhile
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w: is a debugger attached to it?", err)
	case err != nil:
		return err
	}
	s[tid] = 0
	if err := unix.PtraceInterrupt(tid); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return s.await(tid)
}

// await waits until a thread stands still, and forgets one that ends.
func (s stopped) await(tid int) error {
	for began := time.Now(); time.Since(began) < stopTime; {
		if time.Since(began) > time.Millisecond { // as a rule it takes less than a sleep
			time.Sleep(100 * time.Microsecond)
		}
		var ws unix.WaitStatus
		got, err := unix.Wait4(tid, &ws, unix.WALL|unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.ECHILD) || got == tid && (ws.Exited() || ws.Signaled()):
			delete(s, tid)
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case got == tid && ws.Stopped():
			// What is no stop of ours stands before a signal, which must not be lost.
			if ws>>16 != unix.PTRACE_EVENT_STOP && ws.StopSignal() != unix.SIGTRAP {
				s[tid] = ws.StopSignal()
			}
			return nil
		}
	}
	return errors.New("it does not stop: it waits inside the kernel for a device")
}

// letGo lets all threads go on, each with its signal.
func (s stopped) letGo() {
	for tid, sig := range s {
		// The library's own PtraceDetach drops the signal.
		_, _, _ = unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(tid), 0, uintptr(sig), 0, 0)
	}
}

// counter is the program counter of a thread that stands still.
func counter(tid int) (uint64, error) {
	var regs unix.PtraceRegs
	err := unix.PtraceGetRegs(tid, &regs)
	return programCounter(&regs), err
}
