package lab_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// A host has a name, a boot id, addresses and control groups of its own.
func TestHostIsItsOwn(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	if got := must(t, l, "h1", "hostname"); got != "h1" {
		t.Errorf("host name %q", got)
	}
	boot := must(t, l, "h1", "cat", "/proc/sys/kernel/random/boot_id")
	if s := status(t, l, "h1"); boot != s.BootID || !s.On {
		t.Errorf("boot id in host %s, status %+v", boot, s)
	}
	if other := must(t, l, "h2", "cat", "/proc/sys/kernel/random/boot_id"); other == boot {
		t.Error("two hosts have one boot id")
	}
	addr := must(t, l, "h1", "ip", "-o", "addr", "show", "dev", "eth0")
	for _, want := range []string{"10.77.1.1/16", "fd77::1:1/64"} {
		if !strings.Contains(addr, want) {
			t.Errorf("no address %s in %s", want, addr)
		}
	}
	for line := range strings.Lines(must(t, l, "h1", "cat", "/proc/self/cgroup")) {
		// In v2 it is in one below its own, see leaveTop.
		if group := strings.TrimSpace(line); !strings.HasSuffix(group, ":/") && group != "0::/init" {
			t.Errorf("a host sees groups above its own: %s", line)
		}
	}
	must(t, l, "h1", "grep", "-q", "10.77.1.2 h2", "/etc/hosts")
}

// What a host writes outside of its disks is in its own memory: the machine
// never sees it. What it cannot write it cannot change.
func TestIsolation(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	mark := "firedrill-isolation-" + l.ID()
	for _, dir := range []string{"/tmp", "/var/tmp", "/var", "/dev/shm", "/run", "/data", "/state"} {
		path := filepath.Join(dir, mark)
		write(t, l, "h1", "sync", path)
		must(t, l, "h1", "cat", path)
		if onMachine(path) {
			t.Errorf("%s of a host is on the machine", path)
		}
		if _, code := run(t, l, "h2", "cat", path); code == 0 {
			t.Errorf("%s of h1 is on h2", path)
		}
	}
	for _, dir := range []string{"/", "/etc", "/usr", "/root", "/dev", "/sys", "/run/firedrill/mgmt", "/proc/sys/kernel"} {
		if text, code := run(t, l, "h1", proc.Self, "test-write", "sync", filepath.Join(dir, mark)); code == 0 {
			t.Errorf("a host can write to %s: %s", dir, text)
			_ = os.Remove(filepath.Join(dir, mark))
		}
	}
	if _, code := run(t, l, "h1", proc.Self, "test-write", "sync", "/proc/sys/vm/swappiness"); code == 0 {
		t.Error("a host can change the machine's kernel settings")
	}
}

func onMachine(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// The twin of TestIsolation: the same program without a host around it leaves
// its file on the machine, and the same check sees it.
func TestIsolationTwin(t *testing.T) {
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev/shm"} {
		path := filepath.Join(dir, fmt.Sprintf("firedrill-twin-%d", os.Getpid()))
		t.Cleanup(func() { _ = os.Remove(path) })
		p := must1(proc.Start(proc.Spec{Path: proc.Self, Args: []string{"test-write", "sync", path}}))
		if code, err := p.Wait(); code != 0 || err != nil {
			t.Fatal(code, err)
		}
		if !onMachine(path) {
			t.Errorf("the check does not see %s", path)
		}
	}
}

// Hosts are tuned, each alone: a setting of one is not seen by another.
func TestTunedAlone(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	const knob = "/proc/sys/net/ipv4/tcp_keepalive_time"
	machine, err := os.ReadFile(knob)
	if err != nil {
		t.Fatal(err)
	}
	if got := must(t, l, "h1", "cat", knob); got == strings.TrimSpace(string(machine)) {
		t.Errorf("%s of a host is the machine's, %s", knob, got)
	}
	must(t, l, "h1", "sysctl", "-q", "-w", "net.ipv4.tcp_keepalive_time=77")
	if got := must(t, l, "h2", "cat", knob); got == "77" {
		t.Error("a setting of h1 is seen by h2")
	}
}

// A command takes its own descriptors along, gets signals, and ends with its caller.
func TestCommand(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	if _, code := run(t, l, "h1", "false"); code != 1 {
		t.Errorf("false exited with %d", code)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := l.Start("h1", lab.HostCommand{Path: "cat", Args: []string{"/proc/self/fd/3"}, Stdio: lab.Stdio{Out: w}, Extra: []*os.File{must1(os.Open(os.DevNull))}})
	if err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(); code != 0 || err != nil {
		t.Errorf("cat of descriptor 3: %d, %v", code, err)
	}
	if err := errors.Join(w.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	p, err = l.Start("h1", lab.HostCommand{Path: "sleep", Args: []string{"1000"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if code, err := p.Wait(); code != 137 || err != nil {
		t.Errorf("killed command: %d, %v", code, err)
	}
	_ = p.Close()
	p, err = l.Start("h1", lab.HostCommand{Path: "sleep", Args: []string{"1001"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	eventually(t, "sleep is gone after Close", func() bool {
		_, code := run(t, l, "h1", "pgrep", "-f", "^sleep 1001")
		return code == 1
	})
	if _, err := l.Start("h1", lab.HostCommand{Path: "no-such-program"}); err == nil {
		t.Error("a program that is not there was started")
	}
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A host has some folders for itself, and no others.
func TestHides(t *testing.T) {
	if lab.Hides("/home/me/server") || !lab.Hides("/tmp/server") || lab.Hides("/tmpfoo/x") {
		t.Error("wrong folders are hidden")
	}
}
