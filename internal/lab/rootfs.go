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

// freshFolders get a tmpfs of their own: what is written there is gone with power.
var freshFolders = []string{"tmp", "run", "var"}

// ownFolders are not taken over from the machine's root.
var ownFolders = map[string]bool{"proc": true, "sys": true, "dev": true, "tmp": true, "run": true, "var": true, "data": true, "state": true, "lost+found": true}

// buildRoot makes the host's root in this process's mount namespace and enters
// it: the machine's folders read-only, fresh memory where programs write, own
// /proc, /sys and control groups, two disks. It returns the disks' loop devices.
func buildRoot(boot bootSpec, images []*os.File) ([]string, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make mounts private: %w", err)
	}
	root := boot.Root
	if err := tmpfs(root, "mode=755"); err != nil {
		return nil, err
	}
	if err := takeOver(root); err != nil {
		return nil, err
	}
	steps := []func() error{
		func() error { return freshMemory(root) },
		func() error { return ownDev(root) },
		func() error { return ownProc(root, boot.BootID) },
		func() error { return ownSys(root, boot.Hierarchies) },
		func() error { return provide(root, boot) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	var loops []string
	for i, d := range boot.Disks {
		loop, err := mountDisk(filepath.Join(root, d.Mount), images[i], d.Image)
		if err != nil {
			return nil, err
		}
		loops = append(loops, loop)
	}
	return loops, enter(root)
}

// takeOver binds every folder of the machine's root into root, read-only with
// all that is mounted below, and copies the root's symbolic links.
func takeOver(root string) error {
	entries, err := os.ReadDir("/")
	if err != nil {
		return fmt.Errorf("read root: %w", err)
	}
	for _, e := range entries {
		from, to := filepath.Join("/", e.Name()), filepath.Join(root, e.Name())
		switch {
		case ownFolders[e.Name()]:
		case e.Type()&os.ModeSymlink != 0:
			link, err := os.Readlink(from)
			if err != nil {
				return fmt.Errorf("read root: %w", err)
			}
			if err := os.Symlink(link, to); err != nil {
				return fmt.Errorf("copy link %s: %w", from, err)
			}
		case e.IsDir():
			if err := os.Mkdir(to, 0o755); err != nil {
				return fmt.Errorf("make folder of root: %w", err)
			}
			if err := bind(from, to, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// bind mounts a private copy of from, with all that is mounted below it, at to.
func bind(from, to string, readOnly bool) error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("copy mount of %s: %w", from, err)
	}
	defer unix.Close(tree)
	attr := unix.MountAttr{Propagation: unix.MS_PRIVATE}
	if readOnly {
		attr.Attr_set = unix.MOUNT_ATTR_RDONLY
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		return fmt.Errorf("restrict mount of %s: %w", from, err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("bind %s to %s: %w", from, to, err)
	}
	return nil
}

// bindTo makes the mount point, a folder or an empty file as from is, and binds.
func bindTo(from, to string, readOnly bool) error {
	st, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("bind into host: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if st.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else {
		var f *os.File
		if f, err = os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	return bind(from, to, readOnly)
}

func tmpfs(path, options string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("make mount point: %w", err)
	}
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount memory at %s: %w", path, err)
	}
	return nil
}

func freshMemory(root string) error {
	for _, name := range freshFolders {
		if err := tmpfs(filepath.Join(root, name), "mode=755"); err != nil {
			return err
		}
	}
	for _, dir := range []string{"var/tmp", "var/log", "var/lib", "var/cache", "run/lock"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}
	if err := os.Symlink("/run", filepath.Join(root, "var/run")); err != nil {
		return fmt.Errorf("link /var/run: %w", err)
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		if err := os.Chmod(filepath.Join(root, dir), 0o777|os.ModeSticky); err != nil {
			return fmt.Errorf("open folder to all: %w", err)
		}
	}
	return nil
}

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

// tmpfsOn mounts over an existing folder of a read-only tree.
func tmpfsOn(path, options string) error {
	if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount memory at %s: %w", path, err)
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

// provide binds what the lab hands to a host below /run/firedrill.
func provide(root string, boot bootSpec) error {
	// A read-only mount does not keep anybody from connecting to the broker's socket.
	if err := bindTo(boot.Mgmt, filepath.Join(root, HostMgmt), true); err != nil {
		return err
	}
	if boot.ServicesDir != "" {
		if err := bindTo(boot.ServicesDir, filepath.Join(root, HostServices), true); err != nil {
			return err
		}
	}
	if boot.HostAgent != "" {
		if err := bindTo(boot.HostAgent, filepath.Join(root, HostAgent), true); err != nil {
			return err
		}
	}
	etc := filepath.Join(root, "etc/hosts")
	if _, err := os.Stat(etc); err != nil {
		return nil // a machine without the file has a resolver without it
	}
	return bind(boot.HostsFile, etc, true)
}

// mountDisk attaches an image and mounts it. The device detaches itself when
// the file system is gone, and that lives as long as this mount namespace.
func mountDisk(at string, backing *os.File, image string) (string, error) {
	if err := os.MkdirAll(at, 0o755); err != nil {
		return "", fmt.Errorf("make mount point: %w", err)
	}
	dev, err := attach(backing, image)
	if err != nil {
		return "", err
	}
	defer dev.Close()
	if err := unix.Mount(dev.Name(), at, "ext4", 0, ""); err != nil {
		return "", fmt.Errorf("mount disk %s: %w", image, err)
	}
	return filepath.Base(dev.Name()), nil
}

// enter makes root the root and lets go of the machine's.
func enter(root string) error {
	if err := unix.Mount("", root, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	if err := os.Chdir(root); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	// The old root is stacked upon the new one and taken off: no folder for it is needed.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the machine's root: %w", err)
	}
	return nil
}
