package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// retryRevert is the pause between two tries to revert without an agent.
const retryRevert = 200 * time.Millisecond

// orphan ends the injections of a plugin whose agent is gone: each at its end,
// under the lock that all who revert hold.
type orphan struct {
	driver Driver
	live   *live
	log    *slog.Logger
	lock   string        // path of the lock file; empty: nobody else reverts
	now    chan struct{} // closed: end all at once
}

// run reverts everything and returns when nothing is left.
func (o *orphan) run(ctx context.Context) {
	for {
		clock := Now()
		select {
		case <-o.now:
			clock = BootTime(1<<63 - 1)
		default:
		}
		due, next, all := o.live.due(clock)
		if all == 0 {
			return
		}
		if len(due) > 0 {
			if err := o.revert(ctx, due); err != nil {
				o.log.Error("revert without agent", "error", err)
				time.Sleep(retryRevert)
			}
			continue
		}
		o.sleep(next)
	}
}

// sleep lasts until next, a change of the injections, or the order to end all.
func (o *orphan) sleep(next BootTime) {
	t := time.NewTimer(min(next.Sub(Now()), coarseStep))
	defer t.Stop()
	select {
	case <-t.C:
	case <-o.live.changed:
	case <-o.now:
	}
}

func (o *orphan) revert(ctx context.Context, due []RawItem) error {
	unlock, err := takeLock(o.lock)
	if err != nil {
		// Whoever else would revert can't take it either.
		o.log.Error("revert without lock", "error", err)
		unlock = func() {}
	}
	defer unlock()
	var errs []error
	for _, it := range due {
		o.settle(ctx, it)
		err := o.driver.Revert(ctx, it.Target, it.Change)
		if !ended(err) {
			errs = append(errs, fmt.Errorf("injection %s: %w", it.ID, err))
			continue
		}
		o.log.Warn("reverted without agent", "injection", it.ID, "result", resultOf(err))
		o.live.remove(it.Target, it.Change)
	}
	return errors.Join(errs...)
}

// settle waits for an Apply that still runs, but not for ever: one that hangs
// must not keep its fault on the host.
func (o *orphan) settle(ctx context.Context, it RawItem) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := o.live.settled(ctx, it.Target, it.Change); err != nil {
		o.log.Error("revert beside a hanging apply", "injection", it.ID, "error", err)
	}
}

// takeLock opens the lock file anew, so that the lock is this process's own,
// and waits for whoever holds it.
func takeLock(path string) (unlock func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// parentGone returns a channel that is closed when the parent process has
// ended. A parent that ended before the call counts.
func parentGone() (<-chan struct{}, error) {
	gone := make(chan struct{})
	ppid := os.Getppid()
	fd, err := unix.PidfdOpen(ppid, 0)
	// The pid of a process can't be reused while it still is our parent.
	if errors.Is(err, unix.ESRCH) || os.Getppid() != ppid {
		close(gone)
		return gone, nil
	}
	if err != nil {
		return nil, fmt.Errorf("watch the agent: open pidfd of %d: %w", ppid, err)
	}
	go func() {
		defer close(gone)
		defer func() { _ = unix.Close(fd) }()
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if n, err := unix.Poll(fds, -1); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return gone, nil
}
