package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
)

// ownDev gives the host the machine's device nodes, own shared memory and own terminals.
func ownDev(root string) error {
	dev := filepath.Join(root, "dev")
	if err := os.Mkdir(dev, 0o755); err != nil {
		return fmt.Errorf("make /dev: %w", err)
	}
	if err := bind("/dev", dev, true); err != nil {
		return err
	}
	if err := tmpfsOn(filepath.Join(dev, "shm"), "mode=1777"); err != nil {
		return err
	}
	if err := unix.Mount("devpts", filepath.Join(dev, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=600"); err != nil {
		return fmt.Errorf("mount terminals: %w", err)
	}
	return nil
}

// ownProc mounts the host's /proc. Of the kernel's settings only those of the
// network are the host's own; the others are shared with the machine and read-only.
func ownProc(root, bootID string) error {
	path := filepath.Join(root, "proc")
	if err := os.Mkdir(path, 0o755); err != nil {
		return fmt.Errorf("make /proc: %w", err)
	}
	if err := unix.Mount("proc", path, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	keep := filepath.Join(root, "run", ".net")
	if err := bindTo(filepath.Join(path, "sys/net"), keep, false); err != nil {
		return err
	}
	for _, shared := range []string{"sys", "sysrq-trigger"} {
		err := bind(filepath.Join(path, shared), filepath.Join(path, shared), true)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	if err := unix.Mount(keep, filepath.Join(path, "sys/net"), "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("open network settings: %w", err)
	}
	if err := os.Remove(keep); err != nil {
		return fmt.Errorf("remove mount point: %w", err)
	}
	file := filepath.Join(root, "run/firedrill/boot_id")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(file, []byte(bootID+"\n"), 0o444); err != nil {
		return fmt.Errorf("write boot id: %w", err)
	}
	return bind(file, filepath.Join(path, "sys/kernel/random/boot_id"), true)
}

// ownSys mounts the host's /sys, read-only but for its control groups.
func ownSys(root string, hierarchies []cgroup.Hierarchy) error {
	path := filepath.Join(root, "sys")
	if err := os.Mkdir(path, 0o755); err != nil {
		return fmt.Errorf("make /sys: %w", err)
	}
	if err := unix.Mount("sysfs", path, "sysfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	top := filepath.Join(path, "fs/cgroup")
	if len(hierarchies) > 1 {
		if err := tmpfsOn(top, "mode=755"); err != nil {
			return err
		}
	}
	for _, h := range hierarchies {
		at := top
		if len(hierarchies) > 1 {
			at = filepath.Join(top, filepath.Base(h.Mount))
			if err := os.MkdirAll(at, 0o755); err != nil {
				return fmt.Errorf("make mount point: %w", err)
			}
		}
		kind, options := "cgroup2", ""
		if h.Version == 1 {
			kind, options = "cgroup", strings.Join(h.Controllers, ",")
		}
		if err := unix.Mount(kind, at, kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
			return fmt.Errorf("mount control groups %s: %w", options, err)
		}
	}
	return nil
}
