package memory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/pressure"
)

// filler holds memory in this process.
type filler struct {
	fill
	filled
	chunks [][]byte
	held   uint64         // in chunks
	score  string         // oom_score_adj of this process as it was found
	stall  pressure.Stall // when programs' waiting was last looked at
	looked fault.BootTime
	calm   fault.BootTime // nothing is taken before
}

// filled is what the mark says.
type filled struct {
	Reached  bool   `json:"reached"`           // all that was asked was held once
	GaveBack uint64 `json:"gave_back"`         // bytes, since the beginning
	Why      string `json:"why,omitempty"`     // the last time
	Counted  bool   `json:"counted,omitempty"` // the kernel counts how long programs wait
}

const (
	// chunk is taken at a time: between two the host is looked at.
	chunk = 4 * mib
	// leastTaken keeps a share from being followed page by page.
	leastTaken = mib
	// atATime bounds how long it takes without anybody else being asked.
	atATime = 200 * time.Millisecond
	// lookApart is over what time waiting is measured, at least.
	lookApart = 500 * time.Millisecond
	// calmFor is how long nothing is taken after some was given back.
	calmFor = 5 * time.Second
)

// scoreFile says who is killed first when memory runs out, proc_pid_oom_score_adj(5).
const (
	scoreFile  = "/proc/self/oom_score_adj"
	scoreFirst = "1000"
)

// newFiller takes the first of the memory.
func newFiller(f fill) (*filler, error) {
	score, err := os.ReadFile(scoreFile)
	if err == nil {
		err = os.WriteFile(scoreFile, []byte(scoreFirst), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("be the first to be killed for want of memory: %w", err)
	}
	h := &filler{fill: f, score: string(score)}
	h.stall, h.Counted = hostStall()
	h.looked = fault.Now()
	if _, err := h.Keep(); err != nil {
		h.Release()
		return nil, err
	}
	return h, nil
}

func hostStall() (pressure.Stall, bool) {
	return pressure.Read(filepath.Join(pressure.Host, "memory"))
}

// What implements keep.Hold.
func (h *filler) What() filled { return h.filled }

// Keep implements keep.Hold: it takes what is asked, and gives back what the host
// lacks.
func (h *filler) Keep() (changed bool, err error) {
	before := h.filled
	now, err := h.Bounds.room()
	if err != nil {
		return false, err
	}
	switch stalled := h.stalled(); {
	case now.available < h.Reserve:
		err = h.giveBack(h.Reserve-now.available, "for the reserve")
	case stalled > h.Pressure:
		err = h.giveBack(max(h.held/4, chunk), fmt.Sprintf("as programs waited for memory %.0f%% of the time", stalled))
	case fault.Now() >= h.calm:
		err = h.take()
	}
	return h.filled != before, err
}

// stalled is the share of time, in %, in which programs of the host waited for
// want of memory since it was last asked; 0 until some time has passed.
func (h *filler) stalled() float64 {
	now := fault.Now()
	passed := now.Sub(h.looked)
	if !h.Counted || passed < lookApart {
		return 0
	}
	s, ok := hostStall()
	waited := s.Total - h.stall.Total
	h.stall, h.looked = s, now
	if !ok {
		return 0
	}
	return 100 * float64(waited) / float64(passed)
}

// take takes memory until all is taken that is asked or may be, or for a while.
func (h *filler) take() error {
	for end := fault.Now().Add(atATime); fault.Now() < end; {
		now, err := h.Bounds.room()
		if err != nil {
			return err
		}
		n := h.wanted(now)
		if n == 0 {
			h.Reached = true
			return nil
		}
		if now.available < h.Reserve+n {
			return nil
		}
		if err := h.lock(n); err != nil {
			return err
		}
	}
	return nil
}

// wanted is what is taken next, in bytes; 0 if there is enough.
func (h *filler) wanted(now room) uint64 {
	if h.Take > 0 {
		return min(h.Take-h.held, chunk)
	}
	if now.available < h.Leave+leastTaken {
		return 0
	}
	page := uint64(os.Getpagesize())
	return min(now.available-h.Leave, chunk) / page * page
}

// lock takes memory that is there from now on and never swapped, mlock(2).
func (h *filler) lock(n uint64) error {
	b, err := unix.Mmap(-1, 0, int(n), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return fmt.Errorf("take memory: %w", err)
	}
	if err := unix.Mlock(b); err != nil {
		return errors.Join(fmt.Errorf("lock memory: %w", err), unix.Munmap(b))
	}
	h.chunks = append(h.chunks, b)
	h.held += n
	return nil
}

// giveBack gives back n bytes or somewhat more, or all there is.
func (h *filler) giveBack(n uint64, why string) error {
	h.Why, h.calm = why, fault.Now().Add(calmFor)
	for given := uint64(0); given < n && len(h.chunks) > 0; {
		last := len(h.chunks) - 1
		b := h.chunks[last]
		h.chunks = h.chunks[:last]
		if err := unix.Munmap(b); err != nil {
			return fmt.Errorf("give memory back: %w", err)
		}
		given += uint64(len(b))
		h.held -= uint64(len(b))
		h.GaveBack += uint64(len(b))
	}
	return nil
}

// Release implements keep.Hold.
func (h *filler) Release() {
	for _, b := range h.chunks {
		_ = unix.Munmap(b) // one of ours: it can't fail
	}
	h.chunks, h.held = nil, 0
	_ = os.WriteFile(scoreFile, []byte(h.score), 0)
}
