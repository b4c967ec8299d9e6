package guardian

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// pollEvery is how often the heartbeat is read.
const pollEvery = 200 * time.Millisecond

// watch waits for the agent's end.
type watch struct {
	pidfd  int32
	heart  *heartbeat
	seen   int64          // the beat at the last poll
	polled fault.BootTime // when that was
	silent time.Duration  // without a beat, while the guardian itself ran
}

// run returns why to take over; empty if the agent has dismissed its guardian.
func (w *watch) run() (string, error) {
	if err := ready(); err != nil {
		return "agent died", nil // its end of the socket is gone
	}
	fds := []unix.PollFd{{Fd: w.pidfd, Events: unix.POLLIN}, {Fd: fdSocket, Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, int(pollEvery/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return "", fmt.Errorf("watch agent: %w", err)
		}
		if fds[1].Revents != 0 && err == nil {
			var b [1]byte
			if n, _ := unix.Read(fdSocket, b[:]); n == 1 && b[0] == msgDismiss {
				return "", nil
			}
			return "agent died", nil
		}
		if fds[0].Revents != 0 && err == nil {
			return "agent died", nil
		}
		if w.stalled(fault.Now(), w.heart.last()) {
			return "agent hangs: no heartbeat for " + StallAfter.String(), nil
		}
	}
}

// stalled counts only time in which the guardian itself was running: after a
// suspend, or when both were starved, the agent gets its turn first.
func (w *watch) stalled(now fault.BootTime, beat int64) bool {
	passed := min(now.Sub(w.polled), 2*pollEvery)
	w.polled = now
	if beat != w.seen {
		w.seen, w.silent = beat, 0
		return false
	}
	w.silent += passed
	return w.silent >= StallAfter
}
