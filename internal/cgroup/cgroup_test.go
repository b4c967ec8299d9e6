package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// Both layouts that systems use, and a hierarchy that is mounted twice.
func TestParse(t *testing.T) {
	const text = `22 27 0:21 / /proc rw,relatime - proc proc rw
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
34 31 0:38 / /sys/fs/cgroup/with\040blank rw,relatime - cgroup2 cgroup2 rw
35 31 0:38 / /elsewhere rw,relatime - cgroup2 cgroup2 rw
half a line`
	want := []Hierarchy{
		{Version: 1, Mount: "/sys/fs/cgroup/cpu", Controllers: []string{"cpu", "cpuacct"}},
		{Version: 1, Mount: "/sys/fs/cgroup/systemd", Controllers: []string{"name=systemd"}},
		{Version: 2, Mount: "/sys/fs/cgroup/with blank"},
	}
	if diff := cmp.Diff(want, parse(text), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// group makes a v2 group with a process in it.
func group(t *testing.T) (string, *proc.Process) {
	t.Helper()
	need.Check(t, need.Root)
	h, err := V2()
	if err != nil {
		t.Fatal(err)
	}
	g := filepath.Join(h.Mount, fmt.Sprintf("firedrill-cgroup-test-%d", os.Getpid()))
	if err := Create(g); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(Kill(g), WaitEmpty(g, 5*time.Second), Remove(g, 5*time.Second)); err != nil {
			t.Error(err)
		}
	})
	f, err := os.Open(g)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := proc.Start(proc.Spec{Path: "/bin/sleep", Args: []string{"1000"}, Attr: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}})
	if err != nil {
		t.Fatal(err)
	}
	return g, p
}

func TestFreezeAndKill(t *testing.T) {
	g, p := group(t)
	if pids, err := Procs(g); err != nil || !slices.Equal(pids, []int{p.PID}) {
		t.Errorf("processes %v, %v; want %d", pids, err, p.PID)
	}
	if err := WaitFrozen(g, 20*time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Errorf("frozen without being asked: %v", err)
	}
	if err := errors.Join(Freeze(g, true), WaitFrozen(g, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := WaitEmpty(g, 20*time.Millisecond); !errors.Is(err, ErrTimeout) {
		t.Errorf("empty while a process is in it: %v", err)
	}
	if err := errors.Join(Kill(g), WaitEmpty(g, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(); code != 137 || err != nil {
		t.Errorf("killed process: %d, %v", code, err)
	}
	if err := errors.Join(Create(filepath.Join(g, "below")), Remove(g, time.Second)); err != nil {
		t.Error(err)
	}
	if err := errors.Join(Remove(g, time.Second), Kill(g), WaitEmpty(g, time.Second)); err != nil {
		t.Errorf("a group that is gone: %v", err)
	}
}

// A group of the same name is another group: its inode differs.
func TestInode(t *testing.T) {
	g, p := group(t)
	first, err := Inode(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Kill(), WaitEmpty(g, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	_, _ = p.Wait()
	if err := errors.Join(Remove(g, time.Second), Create(g)); err != nil {
		t.Fatal(err)
	}
	if second, err := Inode(g); err != nil || second == first {
		t.Errorf("inodes %d and %d, %v", first, second, err)
	}
	if err := Write(g, "no.such.file", "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("writing a file that is not there: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("34 31 0:38 / /a rw,relatime - cgroup2 cgroup2 rw")
	f.Fuzz(func(t *testing.T, text string) {
		for _, h := range parse(text) {
			if h.Version != 1 && h.Version != 2 {
				t.Errorf("%+v", h)
			}
		}
	})
}
