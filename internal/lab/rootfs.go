package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// freshFolders get a tmpfs of their own: what is written there is gone with power.
var freshFolders = []string{"tmp", "run", "var"}

// ownFolders are not taken over from the machine's root.
var ownFolders = map[string]bool{"proc": true, "sys": true, "dev": true, "tmp": true, "run": true, "var": true, "data": true, "state": true, "lost+found": true}

// Hides says that a host does not see what the machine has at path, as the host
// has that folder for itself.
func Hides(path string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return ownFolders[top]
}

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
	if boot.Plugins != "" {
		if err := bindTo(boot.Plugins, filepath.Join(root, HostPlugins), true); err != nil {
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
