package filesystem

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// tick is longer than the kernel's clock of file times moves on by.
const tick = 20 * time.Millisecond

// Frozen says whether the file system refuses writes because it is frozen
// (FIFREEZE). Nothing in /proc or /sys tells, and an ordinary write would hang in
// a thread that nobody can kill. So a write is tried that the kernel gives up by
// itself: that of the folder's access time, by reading the folder through a mount
// of our own, attached nowhere, on which access times are strict. It takes 20 ms.
// A folder that never notes its access (chattr +A) seems frozen.
func (f FileSystem) Frozen() (bool, error) {
	tree, err := unix.OpenTree(unix.AT_FDCWD, f.Path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return false, fmt.Errorf("clone mount of %s: %w", f.Path, err)
	}
	defer unix.Close(tree)
	strict := unix.MountAttr{Attr_clr: unix.MOUNT_ATTR__ATIME | unix.MOUNT_ATTR_NODIRATIME, Attr_set: unix.MOUNT_ATTR_STRICTATIME}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &strict); err != nil {
		return false, fmt.Errorf("make access times of %s strict: %w", f.Path, err)
	}
	dir, err := unix.Openat(tree, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("open %s: %w", f.Path, err)
	}
	defer unix.Close(dir)
	before, err := accessed(dir)
	if err != nil {
		return false, err
	}
	time.Sleep(tick)
	if _, err := unix.Getdents(dir, make([]byte, 4096)); err != nil {
		return false, fmt.Errorf("read %s: %w", f.Path, err)
	}
	after, err := accessed(dir)
	return before == after, err
}

func accessed(fd int) (unix.Timespec, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return unix.Timespec{}, fmt.Errorf("read access time: %w", err)
	}
	return st.Atim, nil
}

// Freeze and thaw: FIFREEZE and FITHAW of linux/fs.h, _IOWR('X', 119, int) and
// _IOWR('X', 120, int), which x/sys has not.
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// Freeze writes out what is dirty and holds all writes up from then on; EBUSY if
// the file system is frozen. It may take as long as the disk takes to write.
func (f FileSystem) Freeze() error { return f.ioctl(fiFreeze) }

// Thaw lets writes go on; EINVAL if the file system is not frozen.
func (f FileSystem) Thaw() error { return f.ioctl(fiThaw) }

func (f FileSystem) ioctl(request uint) error {
	fd, err := unix.Open(f.Path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", f.Path, err)
	}
	defer unix.Close(fd)
	return unix.IoctlSetInt(fd, request, 0)
}
