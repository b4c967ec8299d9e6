package filesystem

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// x/sys has the flags of this call but not its number: _IOR('X', 125, __u32),
// FS_IOC_SHUTDOWN of linux/fs.h.
const ioctlShutdown = 0x8004587d

// ShutDown cuts a file system off from its disk without writing anything more, not
// even the journal: what was not synced is lost. dir is any folder on it. One that
// is cut off already is no error.
func ShutDown(dir *os.File) error {
	flag := uint32(unix.FS_SHUTDOWN_FLAGS_NOLOGFLUSH)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, dir.Fd(), ioctlShutdown, uintptr(unsafe.Pointer(&flag)))
	if errno != 0 && errno != unix.EIO { // xfs answers EIO the second time, ext4 nothing
		return fmt.Errorf("shut down file system %s: %w", dir.Name(), errno)
	}
	return nil
}

// IsShut says whether a file system is cut off. The option that says so shows on
// Linux 6.13 and later; on older ones only an fsync of dir tells, a folder on it,
// which is tried if the programs on it are held still: on a file system in use it
// would make data durable.
func IsShut(pid string, dev uint64, dir string, held bool) bool {
	all, _ := Mounts(pid) // a process that is gone sees nothing
	for _, m := range all {
		if m.Dev == dev && m.Has("shutdown") {
			return true
		}
	}
	return held && !syncable(dir)
}

// syncable says whether fsync works. A folder that can't be opened because the
// last process that sees it is gone leaves only a superblock that dies.
func syncable(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return f.Sync() == nil
}

// BackingFile is the image that a loop device carries, by the device's name, like
// loop7; "" if none.
func BackingFile(device string) string {
	return sysfs("/sys/block", device, "loop/backing_file")
}
