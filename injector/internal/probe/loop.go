package probe

import (
	"context"
	"sync"
	"time"
)

// Clock reads CLOCK_BOOTTIME in nanoseconds.
type Clock func() int64

// Loop calls do every interval in a goroutine of its own until ctx ends, and
// returns when all calls have returned. It never waits for an earlier call: a
// tick that comes late is followed at once by those that were missed. With
// limit calls open, do is called with saturated true and must not send.
func Loop(ctx context.Context, clock Clock, every time.Duration, limit int, do func(n int, due int64, saturated bool)) {
	var calls sync.WaitGroup
	defer calls.Wait()
	open := make(chan struct{}, limit)
	start := clock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 1; ; n++ {
		due := start + int64(n-1)*int64(every)
		if wait := due - clock(); wait > 0 {
			timer.Reset(time.Duration(wait))
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
		} else if ctx.Err() != nil {
			return
		}
		select {
		case open <- struct{}{}:
			calls.Go(func() {
				defer func() { <-open }()
				do(n, due, false)
			})
		default:
			do(n, due, true)
		}
	}
}

// Limit is how many requests may be open at once: all that can be open while
// every attempt at every URL times out, and some to spare. More than that means
// the client itself hangs.
func Limit(every, timeout time.Duration, urls int) int {
	return int(timeout*time.Duration(max(urls, 1))/max(every, time.Millisecond))*5/4 + 16
}
