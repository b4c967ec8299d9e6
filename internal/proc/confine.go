package proc

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// capabilities are those of linux/capability.h, in its order.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
	"CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT",
	"CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
}

// CheckCapabilities says which of names is no capability of Linux.
func CheckCapabilities(names []string) error {
	_, err := numbers(names)
	return err
}

func numbers(names []string) (set []int, err error) {
	for _, name := range names {
		n := slices.Index(capabilities, name)
		if n < 0 {
			return nil, fmt.Errorf("no capability %q; capabilities(7) lists them, such as CAP_NET_ADMIN", name)
		}
		set = append(set, n)
	}
	return set, nil
}

// ExecConfined makes this process the program at path, which may do as root what
// the named capabilities allow and no more, also not by what it starts: the
// bounding set is cut, uid 0 counts for nothing (SECBIT_NOROOT), and no program
// can raise privileges. It keeps pid and parent, and returns only an error. See
// capabilities(7).
func ExecConfined(names []string, path string, args, env []string) error {
	set, err := numbers(names)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // what is set here is the thread's, and execve(2) takes its
	if err := confine(set); err != nil {
		return fmt.Errorf("leave %s only %v: %w", path, names, err)
	}
	if err := syscall.Exec(path, append([]string{path}, args...), env); err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	return nil
}

// locked are the bits of SECBIT_NOROOT and SECBIT_NO_SETUID_FIXUP with their
// locks, and the lock of SECBIT_KEEP_CAPS (linux/securebits.h).
const locked = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5

func confine(set []int) error {
	for n := range unix.CAP_LAST_CAP + 1 {
		if slices.Contains(set, n) {
			continue
		}
		// EINVAL: a capability that this kernel does not know yet.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("cut the bounding set: %w", err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, locked, 0, 0, 0); err != nil {
		return fmt.Errorf("take uid 0 its privileges: %w", err)
	}
	var data [2]unix.CapUserData
	for _, n := range set {
		d := &data[n/32]
		d.Effective |= 1 << (n % 32)
		d.Permitted, d.Inheritable = d.Effective, d.Effective
	}
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	for _, n := range set {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(n), 0, 0); err != nil {
			return fmt.Errorf("hand %s on: %w", capabilities[n], err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("rule out new privileges: %w", err)
	}
	return nil
}
