package guardian

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// heartbeat is one word of memory that agent and guardian share: the
// CLOCK_BOOTTIME of the agent's last beat.
type heartbeat struct {
	file *os.File
	word *atomic.Int64
}

const heartbeatSize = 8

func newHeartbeat() (*heartbeat, error) {
	fd, err := unix.MemfdCreate("firedrill-heartbeat", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create heartbeat: %w", err)
	}
	f := os.NewFile(uintptr(fd), "heartbeat")
	if err := f.Truncate(heartbeatSize); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("create heartbeat: %w", err)
	}
	return mapHeartbeat(f)
}

// mapHeartbeat maps f, which it keeps.
func mapHeartbeat(f *os.File) (*heartbeat, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, heartbeatSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("map heartbeat: %w", err)
	}
	return &heartbeat{file: f, word: (*atomic.Int64)(unsafe.Pointer(unsafe.SliceData(mem)))}, nil
}

func (h *heartbeat) beat()       { h.word.Store(int64(fault.Now())) }
func (h *heartbeat) last() int64 { return h.word.Load() }
func (h *heartbeat) close()      { _ = h.file.Close() } // the page stays mapped: a late beat must not fault

// harden makes the guardian the last process to suffer from what it guards
// against. What the host does not permit is left.
func harden() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-1000"), 0)
	// On fault: pages are locked as they come in, so nothing is read ahead.
	_ = unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -10)
}
