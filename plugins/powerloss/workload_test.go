package powerloss

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// realHost is what stands for a host that runs on: a network namespace, a control
// group with programs, and a file system of theirs with a second mount.
type realHost struct {
	t       *testing.T
	wire    *traffictest.Wire
	group   string // folder
	path    string
	data    string // mount point
	bind    string // a folder of it, mounted read-only
	device  string
	program string // a copy of the test binary: the test itself is the plugin, which is spared
}

const mib = 1 << 20

func newRealHost(t *testing.T) *realHost {
	t.Helper()
	h := &realHost{t: t, wire: traffictest.New(t)}
	h.wire.Target.NetNS.Path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.wire.A.Fd()) // other processes revert as well
	h.data, h.device = filesystemtest.Ext4(t, 64*mib)
	h.group, h.path = processtest.Group(t)
	h.bind = filepath.Join(t.TempDir(), "bind")
	h.must(errors.Join(os.Mkdir(h.bind, 0o755), os.Mkdir(filepath.Join(h.data, "sub"), 0o755)))
	synced, err := os.Open(h.data)
	h.must(err)
	h.must(errors.Join(unix.Syncfs(int(synced.Fd())), synced.Close())) // a folder that was lost could not be mounted again
	h.must(unix.Mount(filepath.Join(h.data, "sub"), h.bind, "", unix.MS_BIND, ""))
	h.must(unix.Mount("", h.bind, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOATIME|unix.MS_NOSUID, ""))
	t.Cleanup(func() { _ = unix.Unmount(h.bind, 0) })
	h.must(unix.Mount("", h.data, "", unix.MS_SHARED, ""))
	h.program = filepath.Join(t.TempDir(), "service")
	h.must(processtest.Copy(h.program))
	return h
}

// run starts a worker in the group and the network namespace.
func (h *realHost) run(worker string, args ...string) (*proc.Process, *os.File) {
	h.t.Helper()
	out, in, err := os.Pipe()
	h.must(err)
	group, err := os.Open(h.group)
	h.must(err)
	defer group.Close()
	var p *proc.Process
	h.must(h.wire.A.Do(func() (err error) {
		p, err = proc.Start(proc.Spec{Path: h.program, Args: append([]string{workerArg, worker}, args...), Stdout: in, Stderr: os.Stderr,
			Attr: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}})
		return err
	}))
	_ = in.Close()
	h.t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		_ = out.Close()
	})
	return p, out
}

// params name the host's group and file system.
func (h *realHost) params() Params {
	return Params{Mode: ModeWorkload, WorkloadParams: WorkloadParams{Groups: []string{h.path}, FileSystems: []string{h.data}}}
}

func (h *realHost) prepare(p Params) fault.Item[Change] {
	h.t.Helper()
	c, err := (&Plugin{}).Prepare(h.t.Context(), h.wire.Target, p)
	h.must(err)
	record, err := json.Marshal(c)
	h.must(err)
	var read Change
	h.must(json.Unmarshal(record, &read)) // as after a crash: from the record alone
	return fault.Item[Change]{ID: "w", Target: h.wire.Target, Change: read}
}

func (h *realHost) cut(it fault.Item[Change]) {
	h.t.Helper()
	h.must((&Plugin{}).Apply(h.t.Context(), it.Target, it.Change, 0, traffictest.In(time.Minute)))
}

func (h *realHost) powerOn(it fault.Item[Change]) {
	h.t.Helper()
	h.must((&Plugin{}).Revert(h.t.Context(), it.Target, it.Change))
}

// found is the host as the plugin found it.
func (h *realHost) found() map[string]string {
	h.t.Helper()
	out := map[string]string{"network": fmt.Sprintf("%+v", h.wire.Snapshot(h.t))}
	all, err := filesystem.Mounts("self")
	h.must(err)
	for _, m := range all {
		m.ID, m.Parent, m.Tags = 0, 0, strings.TrimRight(m.Tags, "0123456789")
		out["mounts"] += fmt.Sprintf("%+v\n", m)
	}
	lines := strings.Split(out["mounts"], "\n")
	slices.Sort(lines)
	out["mounts"] = strings.Join(lines, "\n")
	out["freezer"], err = cgroup.Read(h.group, "cgroup.freeze")
	h.must(err)
	loop, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(h.device), "loop/autoclear"))
	h.must(err)
	out["loop"] = string(loop)
	return out
}

func (h *realHost) same(before map[string]string) {
	h.t.Helper()
	if d := cmp.Diff(before, h.found()); d != "" {
		h.t.Errorf("the host was left as another: %s", d)
	}
}

// readLine waits for a program's first line.
func readLine(t *testing.T, out *os.File) {
	t.Helper()
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the program says nothing")
	}
}

// kill9 is what other tools do.
func (h *realHost) kill9() {
	h.t.Helper()
	pids, err := cgroup.Procs(h.group)
	h.must(err)
	for _, pid := range pids {
		h.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	h.must(cgroup.WaitEmpty(h.group, 5*time.Second))
}

func (h *realHost) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// What was synced is there after the power is back, and nothing else; the host is as
// it was. The twin ends the same program by SIGKILL, and loses nothing.
func TestWorkloadLosesWhatWasNotSynced(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	before := h.found()
	data := func() string { return h.data }
	for range 5 {
		_, writer := h.run("write", h.data)
		var it fault.Item[Change]
		n := lossOf(t, writer, func() {
			it = h.prepare(h.params())
			h.cut(it)
		}, func() { h.powerOn(it) }, data)
		checkLoss(t, n)
		t.Logf("%+v", n)
		h.same(before)
	}
	_, writer := h.run("write", h.data)
	checkNoLoss(t, lossOf(t, writer, h.kill9, func() {}, data))
}

// Everything stands still for as long as the power is away, and Observe meters it; a
// renewal changes nothing. The twin is the same program before.
func TestWorkloadIsHeld(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	p, writer := h.run("write", h.data)
	first := make([]byte, 1)
	_, err := writer.Read(first)
	h.must(err)
	ran := func() int64 {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", p.PID))
		h.must(err)
		n, err := strconv.ParseInt(strings.Fields(string(b))[0], 10, 64)
		h.must(err)
		return n
	}
	it := h.prepare(h.params())
	if o := observed(t, it); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("before: %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	began := ran()
	time.Sleep(300 * time.Millisecond)
	if ran() == began {
		t.Error("the twin: the program does not run before the cut")
	}
	h.cut(it)
	began = ran()
	for range 2 {
		o := observed(t, it)
		if o.State != fault.Present || o.Dose != fault.Exercised || o.Called != "powerloss (workload)" {
			t.Errorf("%s, %s: %s", o.State, o.Dose, o.Detail)
		}
		h.cut(it)
	}
	if _, err := os.ReadDir(filepath.Join(h.data, "lost+found")); err == nil {
		if err := os.WriteFile(filepath.Join(h.data, "new"), nil, 0o600); !errors.Is(err, unix.EIO) {
			t.Errorf("a write to the file system: %v, want %v", err, unix.EIO)
		}
	}
	if n := ran() - began; n != 0 {
		t.Errorf("the program ran for %d ns while it had no power", n)
	}
	if traffictest.Reaches(t, h.wire.A, h.wire.B, traffictest.AddrB+":5001", "") {
		t.Error("the host is not dark")
	}
	h.powerOn(it)
	if o := observed(t, it); o.State != fault.Absent {
		t.Errorf("after: %s: %s", o.State, o.Detail)
	}
	if !traffictest.Reaches(t, h.wire.A, h.wire.B, traffictest.AddrB+":5001", "") {
		t.Error("the host is dark")
	}
}

// A peer hears nothing while the power is away, and of the power-on only what a host
// says that has just booted: that it knows of no connection. The twin hears of the
// end at once.
func TestWorkloadPeersHearNothing(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	it := fault.Item[Change]{}
	for _, c := range []struct {
		name string
		off  func()
		on   func()
		want string
	}{
		{"power", func() { it = h.prepare(h.params()); h.cut(it) }, func() { h.powerOn(it) }, "silent silent reset"},
		{"SIGKILL", h.kill9, func() {}, "told at once"},
	} {
		addr := traffictest.AddrA + ":7001"
		_, listening := h.run("listen", addr)
		readLine(t, listening)
		var peer net.Conn
		h.must(h.wire.B.Do(func() (err error) { peer, err = net.Dial("tcp", addr); return err }))
		c.off()
		got := hears(peer)
		if got == "silent" {
			c.on()
			got += " " + hears(peer)
			_, _ = peer.Write([]byte("are you there"))
			got += " " + hears(peer)
		} else if got == "closed" || got == "reset" { // reset if it was not taken yet
			got = "told at once"
		}
		if got != c.want {
			t.Errorf("%s: the peer hears %q, want %q", c.name, got, c.want)
		}
		_ = peer.Close()
	}
}

// The plugin is killed after each step of cut and power-on; another process gives
// the power back from the record alone, and the host is as it was.
func TestWorkloadRevertFromEveryStep(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	before := h.found()
	for _, c := range []struct {
		worker, step string
		lost         bool // there is no way back but a new start
	}{
		{"cut", Flapped, false}, {"cut", Began, false}, {"cut", Dark, false}, {"cut", Frozen, false}, {"cut", Shutdown, true},
		{"power-on", stepSilenced, true}, {"power-on", stepKilled, true}, {"power-on", stepUnmounted, true},
		{"power-on", stepMounted, true}, {"power-on", stepStarted, true},
	} {
		t.Run(c.worker+" "+c.step, func(t *testing.T) {
			p, writer := h.run("write", h.data)
			readLine(t, writer)
			params := h.params()
			params.Brownout = &BrownoutParams{Flaps: 1, For: "10ms"}
			it := h.prepare(params)
			if c.worker == "power-on" {
				h.cut(it)
			}
			dieAfter(t, c.worker, c.step, []fault.Item[Change]{it})
			h.powerOn(it)
			h.powerOn(it)
			h.same(before)
			if o := observed(t, it); o.State != fault.Absent {
				t.Errorf("%s: %s", o.State, o.Detail)
			}
			if _, err := process.Read(p.PID); (err == nil) == c.lost {
				t.Errorf("the program: %v, lost its power: %v", err, c.lost)
			}
			h.must(os.WriteFile(filepath.Join(h.data, "writable"), nil, 0o600))
			h.kill9()
		})
	}
}

// Without file systems nothing unsynced is lost, and it says so.
func TestWorkloadStop(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	before := h.found()
	params := h.params()
	params.FileSystems = nil
	_, writer := h.run("write", h.data)
	it := fault.Item[Change]{}
	checkNoLoss(t, lossOf(t, writer, func() {
		it = h.prepare(params)
		h.cut(it)
		if o := observed(t, it); o.State != fault.Present || o.Dose != fault.Exercised || o.Called != "workload-stop" {
			t.Errorf("%s, %s: %s", o.State, o.Dose, o.Detail)
		}
	}, func() { h.powerOn(it) }, func() string { return h.data }))
	h.same(before)
}

func TestWorkloadRefuses(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	_, writer := h.run("write", h.data)
	readLine(t, writer)
	rows := []struct {
		name, field, want string
		bend              func(*Params, *fault.Target) (undo func())
	}{
		{"nothing named", "services", "neither services nor groups", func(p *Params, _ *fault.Target) func() { p.Groups = nil; return nil }},
		{"no such group", "groups[0]", "no control group", func(p *Params, _ *fault.Target) func() { p.Groups[0] = "/none"; return nil }},
		{"no such service", "services[0]", "no control group", func(p *Params, _ *fault.Target) func() { p.Services = []string{"none"}; return nil }},
		{"frozen by somebody", "groups[0]", "stopped it", func(*Params, *fault.Target) func() {
			h.must(cgroup.Freeze(h.group, true))
			return func() { h.must(cgroup.Freeze(h.group, false)) }
		}},
		{"the host's own", "file_systems[0]", "of the host itself", func(p *Params, _ *fault.Target) func() { p.FileSystems[0] = "/"; return nil }},
		{"the agent's records", "file_systems[0]", "the agent's own records", func(_ *Params, t *fault.Target) func() { t.StateDir = h.data; return nil }},
		{"in memory", "file_systems[0]", "only ext4 and xfs", func(p *Params, _ *fault.Target) func() {
			dir := filepath.Join(h.t.TempDir(), "tmpfs")
			h.must(errors.Join(os.Mkdir(dir, 0o755), unix.Mount("tmpfs", dir, "tmpfs", 0, "")))
			p.FileSystems[0] = dir
			return func() { h.must(unix.Unmount(dir, 0)) }
		}},
		{"a folder of one", "file_systems[0]", "is a folder of the file system", func(p *Params, _ *fault.Target) func() { p.FileSystems[0] += "/sub"; return nil }},
		{"not mounted", "file_systems[0]", "is not mounted", func(p *Params, _ *fault.Target) func() {
			p.FileSystems[0], _ = filesystemtest.Device(h.t, mib)
			return nil
		}},
		{"panics", "file_systems[0]", "errors=panic", func(*Params, *fault.Target) func() {
			h.must(unix.Mount("", h.data, "", unix.MS_REMOUNT, "errors=panic"))
			return func() { h.must(unix.Mount("", h.data, "", unix.MS_REMOUNT, "errors=continue")) }
		}},
		{"another on top", "file_systems[0]", "another file system is mounted on", func(*Params, *fault.Target) func() {
			dir := filepath.Join(h.data, "sub")
			h.must(unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
			return func() { h.must(unix.Unmount(dir, 0)) }
		}},
		{"a file open outside", "file_systems[0]", "/disk/kept open", func(*Params, *fault.Target) func() {
			f, err := os.Open(filepath.Join(h.data, keptFile))
			h.must(err)
			return func() { _ = f.Close() }
		}},
		{"seen by another namespace", "file_systems[0]", "in whose mount namespace", func(*Params, *fault.Target) func() {
			p, err := proc.Start(proc.Spec{Path: "/bin/sleep", Args: []string{"100"}, Attr: &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}})
			h.must(err)
			return func() { _ = p.Kill(); _, _ = p.Wait() }
		}},
		{"a brown-out that takes long", "brownout.for", "no more than 1s", func(p *Params, _ *fault.Target) func() {
			p.Brownout = &BrownoutParams{Flaps: 10, For: "60ms"}
			return nil
		}},
		{"a mode that is none", "mode", "no mode", func(p *Params, _ *fault.Target) func() { p.Mode = "none"; return nil }},
		{"nothing bent", "", "", func(*Params, *fault.Target) func() { return nil }},
		{"by its device", "", "", func(p *Params, _ *fault.Target) func() { p.FileSystems[0] = h.device; return nil }},
	}
	before := h.found()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			params, target := h.params(), h.wire.Target
			if undo := row.bend(&params, &target); undo != nil {
				defer undo()
			}
			_, err := (&Plugin{}).Prepare(t.Context(), target, params)
			if row.want == "" {
				faulttest.Must(t, err)
				return
			}
			faulttest.Refused(t, err, row.field, row.want)
		})
	}
	h.same(before)
}

// What became another since Prepare is not cut.
func TestWorkloadChangedSincePrepare(t *testing.T) {
	if !filesystemtest.OwnMounts(t) {
		return
	}
	h := newRealHost(t)
	_, writer := h.run("write", h.data)
	readLine(t, writer)
	it := h.prepare(h.params())
	f, err := os.Open(h.data)
	h.must(err)
	if err := (&Plugin{}).Apply(t.Context(), it.Target, it.Change, 0, 0); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("a file was opened: %v, want %v", err, fault.ErrChanged)
	}
	h.must(f.Close())
	h.must(unix.Mount("", h.bind, "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	if err := (&Plugin{}).Apply(t.Context(), it.Target, it.Change, 0, 0); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("a mount is another: %v, want %v", err, fault.ErrChanged)
	}
	if o := observed(t, it); o.State != fault.Absent {
		t.Errorf("%s: %s", o.State, o.Detail)
	}
	h.powerOn(it)
}
