package vmtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// Serials by which the disks are told apart: the kernel finds them in any order.
const (
	rootDisk = "root"
	jobDisk  = "job"
	dataDisk = "data"
)

// modeArg stands before the mode on the kernel's command line.
const modeArg = "firedrill.vm="

// Guest returns unless this program is the first of a machine, or one that the
// first started. It comes first in main.
func Guest() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == roleRemote:
		err = serveRemote()
	case os.Getpid() == 1:
		err = first()
	default:
		return
	}
	fmt.Println("firedrill-vm:", err)
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	os.Exit(1)
}

// program is where a machine with systemd keeps what Boot was given as Program.
const program = "/run/firedrill-vm"

// first is pid 1: it puts the machine's own root in place and takes commands
// beside nothing else, or hands over to systemd.
func first() error {
	self, err := os.ReadFile("/init") // the root it lies in is covered below
	if err != nil {
		return fmt.Errorf("read own program: %w", err)
	}
	for _, m := range [][2]string{{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}} {
		if err := mount(m[0], m[1], m[0], ""); err != nil {
			return err
		}
	}
	if err := changeRoot(); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll("/job", 0o755), mountDisk(jobDisk, "/job")); err != nil {
		return err
	}
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return fmt.Errorf("read command line: %w", err)
	}
	if strings.Contains(string(text), modeArg+"systemd") {
		return handOver(self)
	}
	return alone()
}

// changeRoot makes the root disk the root. The initramfs itself can't be
// pivoted away from, so the disk is moved over it.
func changeRoot() error {
	if err := mountDisk(rootDisk, "/root"); err != nil {
		return err
	}
	for _, dir := range []string{"/dev", "/proc", "/sys"} {
		if err := unix.Mount(dir, "/root"+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	if err := errors.Join(os.Chdir("/root"), unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."), os.Chdir("/")); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	return nil
}

// mountDisk waits for the disk with the serial number and mounts it.
func mountDisk(serial, at string) error {
	path, err := findDisk(serial)
	if err != nil {
		return err
	}
	return mount(path, at, "ext4", "")
}

// DataDisk is the device of the machine's disk that nothing is on. What is written
// to it lasts as long as the machine, resets included.
func DataDisk() (string, error) { return findDisk(dataDisk) }

func findDisk(serial string) (string, error) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		found, _ := filepath.Glob("/sys/block/nvme*n1")
		for _, dir := range found {
			device := "/dev/" + filepath.Base(dir)
			if _, err := os.Stat(device); err != nil {
				continue // one way to a disk that has several has no device of its own
			}
			text, err := os.ReadFile(filepath.Join(dir, "device/serial"))
			if err == nil && strings.TrimSpace(string(text)) == serial {
				return device, nil
			}
		}
	}
	return "", fmt.Errorf("find disk %s: it does not appear", serial)
}

func mount(source, at, kind, options string) error {
	if err := unix.Mount(source, at, kind, 0, options); err != nil {
		return fmt.Errorf("mount %s: %w", at, err)
	}
	return nil
}

// alone is the machine without systemd: what it would mount and load, and the
// taker of commands.
func alone() error {
	for _, m := range [][3]string{
		{"tmpfs", "/run", "mode=755"}, {"tmpfs", "/tmp", ""}, {"cgroup2", "/sys/fs/cgroup", ""}, {"bpf", "/sys/fs/bpf", ""},
		{"devpts", "/dev/pts", ""}, {"tmpfs", "/dev/shm", ""},
	} {
		if err := errors.Join(os.MkdirAll(m[1], 0o755), mount(m[0], m[1], m[0], m[2])); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+cpu +memory +io +pids +cpuset"), 0); err != nil {
		return fmt.Errorf("hand controllers on: %w", err)
	}
	if err := load("loop", "virtio_pci", "virtio_net"); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set loopback up: %w", err)
	}
	p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{roleRemote}, Env: environment(), Stdout: os.Stdout, Stderr: os.Stderr})
	if err != nil {
		return err
	}
	for { // all orphans of the machine come to its first process
		pid, err := unix.Wait4(-1, nil, 0, nil)
		if err == nil && pid == p.PID {
			return errors.New("the taker of commands is gone")
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait for processes: %w", err)
		}
	}
}

// load loads modules that nothing loads by itself without udev, modprobe(8).
func load(names ...string) error {
	p, err := proc.Start(proc.Spec{Path: "/sbin/modprobe", Args: append([]string{"-a"}, names...), Stderr: os.Stderr})
	if err != nil {
		return err
	}
	if code, err := p.Wait(); err != nil || code != 0 {
		return fmt.Errorf("load modules %v: exit code %d: %w", names, code, err)
	}
	return nil
}

func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TMPDIR=/tmp"}
}
