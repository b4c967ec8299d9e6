package delay

import (
	"container/heap"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// relays are the delay lines that this process runs, by the injection's owner.
type relays struct {
	mu    sync.Mutex
	lines map[uint64]*relay
}

// relay is the delay line of one injection: a thread for each pair.
type relay struct {
	until atomic.Int64 // fault.BootTime; 0: no end
	left  atomic.Int32 // threads
}

// run starts the lines of c, or moves the end of those that run.
func (r *relays) run(t fault.Target, c Change, until fault.BootTime) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.lines[c.Owner]; l != nil && l.left.Load() > 0 {
		l.until.Store(int64(until))
		return nil
	}
	s, err := traffic.Reopen(t, c.Change)
	if err != nil {
		return err
	}
	defer s.Close()
	ends, err := s.Relays(c.Change)
	if err != nil {
		for _, e := range ends {
			e.Close()
		}
		return err
	}
	l := &relay{}
	l.until.Store(int64(until))
	l.left.Store(int32(len(ends)))
	if r.lines == nil {
		r.lines = map[uint64]*relay{}
	}
	r.lines[c.Owner] = l
	var first sync.WaitGroup
	for _, e := range ends {
		first.Add(1)
		// It ends when its device is gone or its time is over.
		go func() {
			defer l.left.Add(-1)
			defer e.Close()
			runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
			hurry()
			(&line{end: e, c: c, alive: l}).run(first.Done)
		}()
	}
	first.Wait()
	return nil
}

// hurry makes the thread real-time, where that is permitted: otherwise packets
// wait for the CPU too, up to 100 ms on a busy host.
func hurry() {
	const priority = 5
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: priority}, 0)
}

// line is the delay line of one pair, on a thread of its own.
type line struct {
	end    traffic.Relay
	c      Change
	alive  *relay
	held   frames
	bytes  int
	seq    uint64
	signed fault.BootTime
}

// mostHeld bounds what a line holds, in bytes: 50 ms of 10 Gbit/s.
const mostHeld = 64 << 20

// room is for the largest frame there is, with what stands before it.
const room = 10 + 14 + 4 + 1<<16

func (l *line) run(started func()) {
	started = sync.OnceFunc(started)
	defer started()
	buf, oob := make([]byte, room), make([]byte, 64)
	for {
		now := fault.Now()
		if !l.sign(now) {
			return
		}
		started()
		l.release(now)
		if !l.wait() || !l.take(buf, oob) {
			return
		}
	}
}

// sign gives a sign of life while the injection's time is not over.
func (l *line) sign(now fault.BootTime) bool {
	if until := fault.BootTime(l.alive.until.Load()); until != 0 && now >= until {
		return false
	}
	if now.Sub(l.signed) < traffic.SignEvery {
		return true
	}
	l.signed = now
	return l.end.Sign() == nil
}

// wait returns when a frame arrives, one is due, or a sign is.
func (l *line) wait() bool {
	left := traffic.SignEvery
	if len(l.held) > 0 {
		left = min(left, l.held[0].due.Sub(fault.Now()))
	}
	timeout := unix.NsecToTimespec(max(0, int64(left)))
	fds := []unix.PollFd{{Fd: int32(l.end.Socket), Events: unix.POLLIN}}
	_, err := unix.Ppoll(fds, &timeout, nil)
	return err == nil || errors.Is(err, unix.EINTR)
}

// batch bounds how many frames are taken before those that are due go on.
const batch = 64

func (l *line) take(buf, oob []byte) bool {
	for range batch {
		n, m, _, _, err := unix.RecvmsgBuffers(l.end.Socket, [][]byte{buf}, oob, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return true
		}
		if err != nil {
			return false // the device is gone
		}
		if l.bytes+n > mostHeld {
			continue
		}
		l.seq++
		heap.Push(&l.held, frame{due: fault.Now().Add(l.delay()), seq: l.seq, data: append([]byte(nil), buf[:n]...), mark: traffic.MarkOf(oob[:m])})
		l.bytes += n
	}
	return true
}

// delay draws how long a packet waits, as netem does: evenly around the latency.
func (l *line) delay() time.Duration {
	if l.c.Reorder > 0 && rand.Float64() < l.c.Reorder {
		return 0
	}
	d := l.c.Latency
	if l.c.Jitter > 0 {
		d += rand.N(2*l.c.Jitter) - l.c.Jitter
	}
	return d
}

// release sends on what is due. A frame that the device does not take is lost, as
// in any full queue.
func (l *line) release(now fault.BootTime) {
	for len(l.held) > 0 && l.held[0].due <= now {
		f := heap.Pop(&l.held).(frame)
		l.bytes -= len(f.data)
		_, _ = unix.SendmsgN(l.end.Socket, f.data, traffic.WithMark(f.mark), nil, 0)
	}
}

// frame is one that waits, with the header of its offloads before it.
type frame struct {
	due  fault.BootTime
	seq  uint64 // keeps those in order that are due at once
	data []byte
	mark uint32
}

// frames is a heap, the next to go first.
type frames []frame

func (h frames) Len() int { return len(h) }
func (h frames) Less(i, j int) bool {
	return h[i].due < h[j].due || h[i].due == h[j].due && h[i].seq < h[j].seq
}
func (h frames) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *frames) Push(x any) { *h = append(*h, x.(frame)) }

// Pop implements heap.Interface.
func (h *frames) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = frame{}
	*h = old[:len(old)-1]
	return last
}
