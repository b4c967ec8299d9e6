package powerloss

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/power"
)

// x/sys has the flags of this call but not its number: _IOR('X', 125, __u32),
// FS_IOC_SHUTDOWN of linux/fs.h.
const ioctlShutdown = 0x8004587d

// shutDown cuts a file system off from its disk without writing anything more,
// not even the journal. fd is any file on it.
func shutDown(fd int) error {
	flag := uint32(unix.FS_SHUTDOWN_FLAGS_NOLOGFLUSH)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), ioctlShutdown, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		return errno
	}
	return nil
}

// backingFile is the image a loop device carries; "" if none.
func backingFile(device string) string {
	b, err := os.ReadFile(filepath.Join("/sys/block", device, "loop/backing_file"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// alive says whether pid 1 of the recorded power-on still runs. A zombie does not.
func alive(s power.Status) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.PID1), "stat"))
	if err != nil {
		return false
	}
	// The command name in parentheses may hold blanks.
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	return len(f) > 19 && f[0] != "Z" && f[0] != "X" && f[19] == strconv.FormatUint(s.PID1Start, 10)
}

// diskState is what became of a file system.
type diskState int

const (
	diskLive diskState = iota
	diskShut           // cut off, still mounted
	diskGone           // superblock and loop device released
)

// stateOf reads it from the kernel. The option shows on Linux 6.13 and later; on
// older ones only an fsync tells, which is tried if the host is held (dark or
// frozen) already: on one that runs it would make data durable that the cut is
// to lose, and a cut holds a host before it touches a disk.
func stateOf(s power.Status, f power.FileSystem, held bool) diskState {
	if backingFile(f.Device) != f.Image {
		return diskGone
	}
	if shutOption(s.PID1, f.Dev) || held && !syncable(inside(s, f)) {
		return diskShut
	}
	return diskLive
}

// shutOption looks for the mount option "shutdown" that newer kernels show.
func shutOption(pid1 int, dev uint64) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid1), "mountinfo"))
	if err != nil {
		return false
	}
	number := fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev))
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) > 6 && f[2] == number && slices.Contains(strings.Split(f[len(f)-1], ","), "shutdown") {
			return true
		}
	}
	return false
}

// syncable says whether fsync works; a file system that is shut down answers
// EIO. A folder that can't be opened because the host's last process is gone
// leaves only a superblock that dies.
func syncable(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return f.Sync() == nil
}
