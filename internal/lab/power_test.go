package lab_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/internal/power"
)

// shutdown shuts a file system down without writing anything out: FS_IOC_SHUTDOWN
// with FS_SHUTDOWN_FLAGS_NOLOGFLUSH.
func shutdown(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flag := uint32(unix.FS_SHUTDOWN_FLAGS_NOLOGFLUSH)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), 0x8004587d, uintptr(unsafe.Pointer(&flag))); errno != 0 {
		t.Fatal(errno)
	}
}

func link(t *testing.T, s power.Status, change func(*netlink.Handle, netlink.Link) error) {
	t.Helper()
	ns, err := netns.Open(s.FabricNS)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	h, err := ns.Netlink()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	veth, err := h.LinkByIndex(s.VethIndex)
	if err != nil {
		t.Fatal(err)
	}
	if err := change(h, veth); err != nil {
		t.Fatal(err)
	}
}

func linkDown(h *netlink.Handle, l netlink.Link) error { return h.LinkSetDown(l) }
func linkDel(h *netlink.Handle, l netlink.Link) error  { return h.LinkDel(l) }

func freeze(t *testing.T, s power.Status) {
	t.Helper()
	if err := errors.Join(cgroup.Freeze(s.Cgroup, true), cgroup.WaitFrozen(s.Cgroup, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// freezeV1 stops a host through the v1 freezer, where there is one: its
// processes do not even die by SIGKILL.
func freezeV1(t *testing.T, s power.Status) {
	t.Helper()
	for _, g := range s.V1Cgroups {
		if _, err := cgroup.Read(g, "freezer.state"); err != nil {
			continue
		}
		if err := cgroup.Write(g, "freezer.state", "FROZEN"); err != nil {
			t.Fatal(err)
		}
		return
	}
	kill(t, s)
}

func kill(t *testing.T, s power.Status) {
	t.Helper()
	if err := errors.Join(cgroup.Kill(s.Cgroup), cgroup.WaitEmpty(s.Cgroup, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
}

// cut is a whole power cut by hand; what it leaves is up to leave.
func cut(t *testing.T, s power.Status) {
	t.Helper()
	link(t, s, linkDown)
	freeze(t, s)
	for _, fs := range s.FileSystems {
		shutdown(t, filepath.Join("/proc", strconv.Itoa(s.PID1), "root", fs.Mount))
	}
	kill(t, s)
}

func on(t *testing.T, l *lab.Lab, host string) power.Status {
	t.Helper()
	s, err := l.Power().On(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	if !s.On {
		t.Fatalf("not on after power-on: %+v", s)
	}
	return s
}

// A cut loses what was not synced and keeps what was; killing alone, which is
// the twin of this test, loses nothing. Afterwards the host is another boot of
// the same machine.
func TestPowerCycle(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*testing.T, power.Status)
		kept bool
	}{
		"cut":  {cut, false},
		"kill": {kill, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
			write(t, l, "h1", "sync", "/data/synced")
			write(t, l, "h1", "no", "/data/unsynced", "/tmp/memory")
			before := status(t, l, "h1")
			c.end(t, before)
			if s := status(t, l, "h1"); s.On {
				t.Errorf("on after its end: %+v", s)
			}
			if _, err := l.Start("h1", lab.HostCommand{Path: "true"}); !errors.Is(err, lab.ErrHostDark) {
				t.Errorf("a command in a dark host: %v", err)
			}
			after := on(t, l, "h1")
			if after.BootID == before.BootID || after.CgroupIno == before.CgroupIno || after.PID1 == before.PID1 || after.Address != before.Address {
				t.Errorf("before %+v\nafter %+v", before, after)
			}
			if got := must(t, l, "h1", "cat", "/data/synced"); got != "content" {
				t.Errorf("synced file holds %q", got)
			}
			if _, code := run(t, l, "h1", "grep", "-q", "content", "/data/unsynced"); (code == 0) != c.kept {
				t.Errorf("unsynced file kept: %v, want %v", code == 0, c.kept)
			}
			if _, code := run(t, l, "h1", "cat", "/tmp/memory"); code == 0 {
				t.Error("memory outlived power")
			}
			must(t, l, "h1", "ip", "route", "get", "10.77.1.2")
		})
	}
}

// Whatever state an interrupted cut leaves a host in, on makes a sound host of it.
func TestOnAfterLeftovers(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	for name, leave := range map[string]func(*testing.T, power.Status){
		"nothing":   func(*testing.T, power.Status) {},
		"dark":      func(t *testing.T, s power.Status) { link(t, s, linkDown) },
		"no cable":  func(t *testing.T, s power.Status) { link(t, s, linkDel) },
		"frozen":    freeze,
		"v1 frozen": freezeV1,
		"shut down": func(t *testing.T, s power.Status) {
			shutdown(t, filepath.Join("/proc", strconv.Itoa(s.PID1), "root/data"))
		},
		"killed":      kill,
		"cut":         cut,
		"groups gone": func(t *testing.T, s power.Status) { cut(t, s); removeAll(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			before := on(t, l, "h1")
			leave(t, before)
			after := on(t, l, "h1")
			if same := after.BootID == before.BootID; same != (name == "nothing") {
				t.Errorf("same boot: %v", same)
			}
			write(t, l, "h1", "sync", "/data/file", "/state/file")
		})
	}
	s := status(t, l, "h2")
	if s.BootID == "" || !s.On {
		t.Errorf("the other host: %+v", s)
	}
}

func removeAll(t *testing.T, s power.Status) {
	t.Helper()
	for _, g := range append([]string{s.Cgroup}, s.V1Cgroups...) {
		if err := cgroup.Remove(g, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
}

// A host that stands still holds a caller no longer than its context.
func TestCommandInFrozenHost(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	freeze(t, status(t, l, "h1"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := l.Exec(ctx, "h1", []string{"true"}, lab.Stdio{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
