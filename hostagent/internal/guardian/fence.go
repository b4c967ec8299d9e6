package guardian

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// ProcessID names a process: pids are reused, pid and start time together are not.
type ProcessID struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // field 22 of /proc/PID/stat
}

// Self names this process.
func Self() (ProcessID, error) {
	start, err := proc.StartTime(os.Getpid())
	if err != nil {
		return ProcessID{}, fmt.Errorf("name this process: %w", err)
	}
	return ProcessID{PID: os.Getpid(), Start: start}, nil
}

// Alive says whether the process runs. One that has ended and waits for its
// parent to notice does not.
func (p ProcessID) Alive() bool {
	if p.PID == 0 {
		return false
	}
	fd, err := proc.OpenPidfd(p.PID, p.Start)
	if err != nil {
		return !errors.Is(err, proc.ErrGone)
	}
	defer func() { _ = fd.Close() }()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd.Fd()), Events: unix.POLLIN}}, 0)
	return err != nil || n == 0
}

// kill ends the process by SIGKILL and waits for its end. A stopped or frozen
// (v2) process ends too.
func (p ProcessID) kill(ctx context.Context) error {
	if p.PID == 0 {
		return nil
	}
	fd, err := proc.OpenPidfd(p.PID, p.Start)
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = fd.Close() }()
	return killPidfd(ctx, fd)
}

func killPidfd(ctx context.Context, fd *os.File) error {
	if err := proc.KillPidfd(fd); err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(fd.Fd()), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, 20)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for end of process: %w", err)
		}
		if n > 0 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for end of process: %w", err)
		}
	}
}

// Fence makes sure that nobody but the caller changes the host: it kills the
// agent and its plugins, and waits for their end. It goes on after an error, so
// that as much as possible is dead.
func Fence(ctx context.Context, agent ProcessID, groups []string, plugins []ProcessID) error {
	errs := []error{agent.kill(ctx)} // first, or it would start plugins again
	for _, dir := range groups {
		errs = append(errs, killGroup(ctx, dir))
	}
	for _, p := range plugins {
		errs = append(errs, p.kill(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("fence: %w", err)
	}
	return nil
}
