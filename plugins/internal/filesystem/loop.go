package filesystem

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func sysfs(path ...string) string {
	b, _ := os.ReadFile(filepath.Join(path...)) // what is not there says nothing
	return strings.TrimSpace(string(b))
}

// autoclear says whether a block device is a loop device that lets go of its image
// when it is unmounted, loop(4).
func autoclear(device string) bool {
	return sysfs("/sys/block", device, "loop/autoclear") == "1"
}

// setAutoclear changes that. device is like loop7.
func setAutoclear(device string, on bool) error {
	f, err := os.OpenFile(filepath.Join("/dev", device), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open loop device: %w", err)
	}
	defer f.Close()
	info, err := unix.IoctlLoopGetStatus64(int(f.Fd()))
	if err != nil {
		return fmt.Errorf("read status of %s: %w", f.Name(), err)
	}
	was := info.Flags
	info.Flags &^= unix.LO_FLAGS_AUTOCLEAR
	if on {
		info.Flags |= unix.LO_FLAGS_AUTOCLEAR
	}
	if info.Flags == was {
		return nil
	}
	if err := unix.IoctlLoopSetStatus64(int(f.Fd()), info); err != nil {
		return fmt.Errorf("set status of %s: %w", f.Name(), err)
	}
	return nil
}
