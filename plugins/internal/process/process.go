// Package process names processes so that another one is never taken for them,
// lists those that run a program, and says which no fault may touch.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// ID names a process. Pids are given again, so the start time belongs to it.
type ID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // field 22 of proc_pid_stat(5), in clock ticks since boot
	Name  string `json:"name"`  // proc_pid_comm(5), for people
}

// ErrEnded says that a process has ended, or that its pid is another one's now.
var ErrEnded = errors.New("process ended")

// Own is the calling process.
func Own() (ID, error) { return Read(os.Getpid()) }

// Read names the process that has pid now; ErrEnded if none has, or if it waits
// only for its parent to take notice of its end.
func Read(pid int) (ID, error) {
	s, err := readStat(pid)
	if err == nil && (s.state == "Z" || s.state == "X") {
		err = fmt.Errorf("pid %d: %w", pid, ErrEnded)
	}
	return ID{PID: pid, Start: s.start, Name: s.name}, err
}

// Started is the start time of the process that has pid now, also of one that waits
// only for its parent to take notice of its end; ErrEnded if there is none.
func Started(pid int) (uint64, error) {
	s, err := readStat(pid)
	return s.start, err
}

// Open opens a pidfd (pidfd_open(2)) of the process and no other; ErrEnded if it
// is gone. The caller must close it.
func (p ID) Open() (pidfd int, err error) {
	pidfd, err = unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return -1, fmt.Errorf("pid %d: %w", p.PID, ErrEnded)
	}
	if err != nil {
		return -1, fmt.Errorf("open pidfd of %d: %w", p.PID, err)
	}
	// The pidfd holds on to one process: if the start time is right now, it is this one.
	s, err := readStat(p.PID)
	if err == nil && s.start != p.Start {
		err = fmt.Errorf("pid %d is another process now: %w", p.PID, ErrEnded)
	}
	if err != nil {
		_ = unix.Close(pidfd)
		return -1, err
	}
	return pidfd, nil
}

// Ended asks the kernel whether the process has ended: a pidfd is readable then.
func (p ID) Ended() (bool, error) {
	fd, err := p.Open()
	if errors.Is(err, ErrEnded) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("ask for the end of pid %d: %w", p.PID, err)
	}
	return n > 0, nil
}

// Signal sends a signal to the process and no other; ErrEnded if it is gone.
func (p ID) Signal(sig unix.Signal) error {
	fd, err := p.Open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("pid %d: %w", p.PID, ErrEnded)
	}
	if err != nil {
		return fmt.Errorf("send %s to pid %d: %w", unix.SignalName(sig), p.PID, err)
	}
	return nil
}

// Stopped says whether a signal stopped the process (state T of proc_pid_stat(5));
// ErrEnded if it is gone.
func (p ID) Stopped() (bool, error) {
	s, err := readStat(p.PID)
	if err == nil && (s.start != p.Start || s.state == "Z" || s.state == "X") {
		err = fmt.Errorf("pid %d: %w", p.PID, ErrEnded)
	}
	return s.state == "T", err
}

// All lists the processes of the host, those that wait for their parent to take
// notice of their end left out.
func All() (out []ID, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if p, err := Read(pid); err == nil {
				out = append(out, p)
			}
		}
	}
	return out, nil
}

func (p ID) String() string { return fmt.Sprintf("%s (pid %d)", p.Name, p.PID) }

// ticks per second of the times in /proc, USER_HZ.
const ticks = 100

// Ticks is an instant in the unit of ID.Start.
func Ticks(b fault.BootTime) uint64 { return uint64(b) / (1e9 / ticks) }

// SameBoot returns fault.ErrGone if the host was booted since the target was
// prepared: no process of then is there any more.
func SameBoot(t fault.Target) error {
	if t.BootID == "" {
		return nil
	}
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err == nil && strings.TrimSpace(string(b)) != t.BootID {
		return fmt.Errorf("%w: the host was booted since", fault.ErrGone)
	}
	return nil
}

// stat is what proc_pid_stat(5) says of a process.
type stat struct {
	name, state string
	parent      int
	start       uint64
	processor   int
}

func readStat(pid int) (s stat, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return s, fmt.Errorf("pid %d: %w", pid, ErrEnded)
	}
	if err != nil {
		return s, fmt.Errorf("read state of pid %d: %w", pid, err)
	}
	// The command name in parentheses may hold spaces and parentheses.
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return s, fmt.Errorf("read state of pid %d: no name in %q", pid, b)
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 37 {
		return s, fmt.Errorf("read state of pid %d: short line", pid)
	}
	s.name, s.state = string(b[open+1:end]), f[0]
	s.parent, _ = strconv.Atoi(f[1])
	s.processor, _ = strconv.Atoi(f[36])
	s.start, err = strconv.ParseUint(f[19], 10, 64)
	return s, err
}
