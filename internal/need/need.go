// Package need says what a test needs of the machine. A test whose need is not
// met is skipped with a line that names the need, "not run: needs root"; the
// command notrun, through which make test reads the results, lists these lines
// at the end and fails if the need was met after all: a skip that hides a
// failure is a failure.
package need

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Prefix begins the reason of every skip.
const Prefix = "not run: needs "

// Again begins the reason why a test tried once more what it could not measure. The
// command notrun lists these too.
const Again = "tried again: "

// Need is something a machine has or lacks.
type Need string

// What tests may need.
const (
	Root  Need = "root"         // effective uid 0
	Loop  Need = "loop devices" // /dev/loop-control
	Tools Need = "built tools (make build)"
	Mkfs  Need = "mkfs.ext4 (package e2fsprogs)"
	Nft   Need = "nft (package nftables)"
	Libc  Need = "getent and unshare (packages libc-bin, util-linux)"
	CPUs  Need = "two CPUs"
	// Systemd as the service manager, with cgroup v2 alone.
	Systemd Need = "systemd and cgroup v2 alone (make test-vm)"

	// Unified is a machine without cgroup v1.
	Unified Need = "cgroup v2 alone (make test-vm)"
	// Reset is a machine that was booted for the test alone, which may reset it.
	Reset Need = "a machine that may be reset (make test-vm)"

	Chromium Need = "chromium (package chromium)"
	Python   Need = "Python with gRPC (packages python3-grpcio, python3-protobuf)"
	Git      Need = "git (package git)"
	Runc     Need = "runc (package runc)"
	// Containerd and Docker as services that a test may start.
	Containerd Need = "containerd in a machine of its own (make test-vm)"
	Docker     Need = "Docker in a machine of its own (make test-vm)"
	Netem      Need = "netem (kernel module sch_netem)"
	// Stores are unpacked by .ci/stores from Debian's packages.
	Stores Need = "Redis and PostgreSQL in bin/stores (.ci/stores)"
)

// probes tells for each need whether the machine meets it.
var probes = map[Need]func() bool{
	Root:    func() bool { return unix.Geteuid() == 0 },
	Loop:    func() bool { return exists("/dev/loop-control") },
	Mkfs:    func() bool { return exists("/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4") },
	Nft:     func() bool { return exists("/usr/sbin/nft", "/sbin/nft") },
	Libc:    func() bool { return exists("/usr/bin/getent") && exists("/usr/bin/unshare") },
	Systemd: func() bool { return exists("/run/systemd/system") && exists("/sys/fs/cgroup/cgroup.controllers") },

	Unified: func() bool { return exists("/sys/fs/cgroup/cgroup.controllers") },

	Reset: func() bool { return exists("/job/may-reset") },

	Chromium: func() bool { return exists("/usr/bin/chromium") },
	Python: func() bool {
		const packages = "/usr/lib/python3/dist-packages/"
		return exists("/usr/bin/python3") && exists(packages+"grpc") && exists(packages+"google/protobuf")
	},
	CPUs:       func() bool { return runtime.NumCPU() > 1 },
	Git:        func() bool { return exists("/usr/bin/git") },
	Runc:       func() bool { return exists("/usr/sbin/runc") },
	Containerd: func() bool { return ownMachine() && exists("/usr/bin/containerd") },
	Docker:     func() bool { return ownMachine() && exists("/usr/sbin/dockerd", "/usr/bin/dockerd") },
	Netem:      netem,
	// Tests run in their package's folder.
	Stores: func() bool { return exists("../../bin/stores/stamp") },
}

// Met says whether the machine meets n. A need without a probe counts as met,
// so that a test can't hide behind a need nobody can check.
func Met(n Need) bool {
	probe, ok := probes[n]
	return !ok || probe()
}

// Check skips the test unless the machine meets all needs.
func Check(t testing.TB, needs ...Need) {
	t.Helper()
	for _, n := range needs {
		if !Met(n) {
			t.Skip(Prefix + string(n))
		}
	}
}

// ownMachine says that this is the machine of make test-vm, with systemd: there a
// test may start services.
func ownMachine() bool { return exists("/run/systemd/system/firedrill-vm-remote.service") }

func exists(paths ...string) bool {
	for _, p := range paths {
		if _, err := os.Stat(p); err == nil {
			return true
		}
	}
	return false
}

// netem looks for the queueing discipline in the kernel or among its modules.
func netem() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	modules := "/lib/modules/" + unix.ByteSliceToString(u.Release[:])
	found, _ := filepath.Glob(modules + "/kernel/net/sched/sch_netem.ko*")
	builtin, _ := os.ReadFile(modules + "/modules.builtin")
	return len(found) > 0 || exists("/sys/module/sch_netem") || bytes.Contains(builtin, []byte("/sch_netem.ko"))
}
