// Package proc starts and ends processes. It is the only package of this
// module that does so; no command line is ever built from text and no shell is
// involved. A process is named by pid and start time, because pids are reused.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spec is a process to be started.
type Spec struct {
	Path   string   // absolute; never looked up in PATH
	Args   []string // without argv[0]
	Env    []string // nil: this process's environment
	Dir    string
	Stdin  *os.File // nil: /dev/null
	Stdout *os.File
	Stderr *os.File
	Extra  []*os.File // fd 3 and up
	Attr   *syscall.SysProcAttr
}

// Process is a started process.
type Process struct {
	PID       int
	StartTime uint64 // field 22 of /proc/PID/stat, in clock ticks since boot

	cmd *exec.Cmd
}

// ErrGone says that a process has ended, or that its pid belongs to another one now.
var ErrGone = errors.New("process gone")

// Start starts s. The caller must Wait.
func Start(s Spec) (*Process, error) {
	cmd := &exec.Cmd{Path: s.Path, Args: append([]string{s.Path}, s.Args...), Env: s.Env, Dir: s.Dir, ExtraFiles: s.Extra, SysProcAttr: s.Attr}
	// A typed nil in an interface field would be used as a file.
	if s.Stdin != nil {
		cmd.Stdin = s.Stdin
	}
	if s.Stdout != nil {
		cmd.Stdout = s.Stdout
	}
	if s.Stderr != nil {
		cmd.Stderr = s.Stderr
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	p := &Process{PID: cmd.Process.Pid, cmd: cmd}
	start, err := StartTime(p.PID)
	if err != nil && !errors.Is(err, ErrGone) {
		_ = p.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	p.StartTime = start
	return p, nil
}

// Wait waits for the end and returns the exit code; 128 + n when signal n ended it.
func (p *Process) Wait() (int, error) {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return -1, fmt.Errorf("wait for pid %d: %w", p.PID, err)
	}
	if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return p.cmd.ProcessState.ExitCode(), nil
}

// Signal sends sig; ErrGone if the process has been waited for.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		if errors.Is(err, os.ErrProcessDone) {
			return ErrGone
		}
		return fmt.Errorf("signal pid %d: %w", p.PID, err)
	}
	return nil
}

// Kill sends SIGKILL.
func (p *Process) Kill() error { return p.Signal(syscall.SIGKILL) }

// StartTime reads when pid was started, in clock ticks since boot.
func StartTime(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return 0, ErrGone
	}
	if err != nil {
		return 0, fmt.Errorf("read start time of pid %d: %w", pid, err)
	}
	// The command name in parentheses may hold spaces and parentheses.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("read start time of pid %d: short stat line", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

// Alive says whether pid still is the process that started at start.
func Alive(pid int, start uint64) bool {
	now, err := StartTime(pid)
	return err == nil && now == start
}

// OpenPidfd opens a pidfd of pid and checks that it is the process that started
// at start; it is readable when the process ends (pidfd_open(2)).
func OpenPidfd(pid int, start uint64) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("open pidfd of %d: %w", pid, err)
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	now, err := StartTime(pid)
	if err == nil && now != start {
		err = ErrGone
	}
	if err != nil { // one that can't be read is not gone
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// KillPidfd sends SIGKILL through a pidfd; nil if the process is gone already.
func KillPidfd(f *os.File) error {
	if err := unix.PidfdSendSignal(int(f.Fd()), unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill by pidfd: %w", err)
	}
	return nil
}

// Self is the path of the running executable for re-execution; it stays valid
// when the file is replaced.
const Self = "/proc/self/exe"
