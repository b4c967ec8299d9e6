package preflight

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// probes lists what is tried, from the general to the special.
func probes() []probe {
	everything := []string{theLab, thePowerloss, thePartition, theGuardian}
	return []probe{
		{"root", everything, "run it as root", root},
		{"kernel-5.14", everything, "use a newer kernel", kernel},
		{"pidfd", []string{theLab, theGuardian}, "use a newer kernel", pidfd},
		{"namespaces", []string{theLab}, "use a kernel with mnt, pid, net, ipc, uts and cgroup namespaces", namespaces},
		{"mount-setattr", []string{theLab}, "use kernel 5.12 or newer", mountSetattr},
		{"cgroup-v2", []string{theLab, thePowerloss, theGuardian}, "mount cgroup2; it may stand beside v1", cgroupV2},
		{"cgroup-freeze", []string{theLab, thePowerloss}, "use a newer kernel", groupFile("cgroup.freeze")},
		{"cgroup-kill", []string{theLab, thePowerloss, theGuardian}, "use kernel 5.14 or newer", groupFile("cgroup.kill")},
		{"loop", []string{theLab, thePowerloss}, "load the module loop; in a container, give it /dev", loop},
		{"mkfs-ext4", []string{theLab}, "install e2fsprogs", lab.FindMkfs},
		{"ext4", []string{theLab, thePowerloss}, "load the module ext4", ext4},
		{"fs-shutdown", []string{thePowerloss}, "use a kernel with ext4", ext4},
		{"veth", []string{theLab}, "load the module veth", inNamespace(veth)},
		{"bridge", []string{theLab}, "load the module bridge", inNamespace(bridge)},
		{"bpf-tc", []string{thePartition, theTraffic}, "use a kernel with NET_SCH_INGRESS, NET_CLS_BPF and BPF_SYSCALL; partition falls back to routes, which cut addresses only", inNamespace(bpfTC)},
		{"sch-htb", []string{theRate}, "load the module sch_htb", inNamespace(htb)},
		{"cls-u32", []string{theRate}, "load the module cls_u32", inNamespace(u32)},
		{"sch-tbf", []string{theBandwidth}, "load the module sch_tbf", inNamespace(tbf)},
		{"netem", nil, "fault delay uses a delay line of its own", inNamespace(netem)},
		{"cgroup-cpuset", nil, "fault cpu has quota and burn, and no cpuset", controller("cpuset")},
		{"psi", nil, "fault memory with fill is guarded by its reserve alone; boot with psi=1 to have it look at pressure", psi},
	}
}

func root() error {
	if unix.Geteuid() != 0 {
		return fmt.Errorf("running as uid %d", unix.Geteuid())
	}
	return nil
}

func kernel() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("read kernel version: %w", err)
	}
	release := unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("read kernel version %q: %w", release, err)
	}
	if major < 5 || major == 5 && minor < 14 {
		return fmt.Errorf("the kernel is %s", release)
	}
	return nil
}

func pidfd() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("open pidfd: %w", err)
	}
	return unix.Close(fd)
}

func namespaces() error {
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup"} {
		if _, err := os.Stat("/proc/self/ns/" + ns); err != nil {
			return fmt.Errorf("no %s namespace", ns)
		}
	}
	return nil
}

// mountSetattr asks for a change of a mount that is not there: only a kernel
// that knows the call minds the mount.
func mountSetattr() error {
	err := unix.MountSetattr(-1, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return fmt.Errorf("call mount_setattr: %w", err)
	}
	return nil
}

func cgroupV2() error {
	_, err := cgroup.V2()
	return err
}

// groupFile looks for a file in a group that is made for this, because the
// root group does not have it.
func groupFile(file string) func() error {
	return func() error {
		if root() != nil {
			return errNotRoot
		}
		h, err := cgroup.V2()
		if err != nil {
			return err
		}
		group := filepath.Join(h.Mount, fmt.Sprintf("firedrill-preflight-%d", os.Getpid()))
		if err := cgroup.Create(group); err != nil {
			return err
		}
		_, err = os.Stat(filepath.Join(group, file))
		return errors.Join(err, cgroup.Remove(group, time.Second))
	}
}

// controller looks for a controller of control groups, of either version.
func controller(name string) func() error {
	return func() error {
		all, err := cgroup.Hierarchies()
		if err != nil {
			return err
		}
		for _, h := range all {
			if slices.Contains(h.Controllers, name) {
				return nil
			}
		}
		return fmt.Errorf("no hierarchy has the controller %s", name)
	}
}

// psi is pressure stall information; where it is off, reading fails.
func psi() error {
	_, err := os.ReadFile("/proc/pressure/memory")
	return err
}

func loop() error {
	f, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// ext4 is built in, or a module that the first mount loads.
func ext4() error {
	b, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return fmt.Errorf("list file systems: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(strings.TrimPrefix(line, "nodev")) == "ext4" {
			return nil
		}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return fmt.Errorf("read kernel version: %w", err)
	}
	found, _ := filepath.Glob("/lib/modules/" + unix.ByteSliceToString(u.Release[:]) + "/kernel/fs/ext4/ext4.ko*")
	if len(found) == 0 {
		return errors.New("the kernel does not know ext4")
	}
	return nil
}
