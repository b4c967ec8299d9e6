package digesttest

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// What makes this program a test binary of its own, whose machine is compared:
// what it leaves, and how long it waits for that to go.
const (
	binaryEnv = "DIGESTTEST_BINARY"
	settleEnv = "DIGESTTEST_SETTLE"
)

func TestMain(m *testing.M) {
	if os.Getenv(binaryEnv) == "" {
		os.Exit(m.Run())
	}
	settleTime, _ = time.ParseDuration(os.Getenv(settleEnv))
	os.Exit(Run(m))
}

// TestBinary is the one test of the other test binary: it makes what it is told
// to, leaves it, and ends when its input does.
func TestBinary(t *testing.T) {
	told := os.Getenv(binaryEnv)
	if told == "" {
		return // nothing of its own to try
	}
	if told == "group" {
		made := filepath.Join(v2(t), Name())
		must(t, os.Mkdir(made, 0o755))
		fmt.Println(made)
	}
	fmt.Println("made")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// A test binary fails for what it leaves, and for what nobody owns; not for what
// belongs to a test or a lab that goes on beside it.
func TestWhatCounts(t *testing.T) {
	need.Check(t, need.Root, need.Loop)
	gone := exited(t)
	for name, row := range map[string]struct {
		own    string                   // what the binary leaves
		beside func(*testing.T, string) // what comes beside it, by the name of an owner
		owner  string
		counts bool
	}{
		"nothing":                    {},
		"a group of its own":         {own: "group", counts: true},
		"another test's group":       {beside: makeGroup, owner: Name()},
		"another test's disk":        {beside: makeDisk, owner: Name()},
		"another owner's lab":        {beside: makeLab, owner: Name()},
		"a group whose owner died":   {beside: makeGroup, owner: gone + "-1", counts: true},
		"a disk whose owner died":    {beside: makeDisk, owner: gone + "-2", counts: true},
		"a lab whose owner died":     {beside: makeLab, owner: gone + "-3", counts: true},
		"a group that nobody owns":   {beside: makeGroup, owner: "firedrill-nobody", counts: true},
		"a name that was used again": {beside: makeGroup, owner: fmt.Sprintf("firedrill-test-%d-1-1", os.Getpid()), counts: true},
	} {
		t.Run(name, func(t *testing.T) {
			settle := settleTime
			if row.counts {
				settle = 500 * time.Millisecond
			}
			b := start(t, row.own, settle)
			if row.beside != nil {
				row.beside(t, row.owner)
			}
			if code, said := b.end(); (code != 0) != row.counts || row.counts && !strings.Contains(said, "not as it was found") {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
}

// binary is the other test binary, on its way.
type binary struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bytes.Buffer
}

func start(t *testing.T, own string, settle time.Duration) binary {
	b := binary{cmd: exec.Command(proc.Self, "-test.run=^TestBinary$"), out: &bytes.Buffer{}}
	b.cmd.Env = append(os.Environ(), binaryEnv+"="+cmp.Or(own, "nothing"), settleEnv+"="+settle.String())
	in, err := b.cmd.StdinPipe()
	must(t, err)
	out, err := b.cmd.StdoutPipe()
	must(t, err)
	b.in, b.cmd.Stderr = in, b.out
	must(t, b.cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "made"; {
		left := lines.Text()
		t.Cleanup(func() { _ = os.Remove(left) })
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return b
}

func (b binary) end() (code int, said string) {
	_ = b.in.Close()
	_ = b.cmd.Wait() // its exit code is asked for below
	return b.cmd.ProcessState.ExitCode(), b.out.String()
}

// exited is the owner in the names of a process that has ended.
func exited(t *testing.T) string {
	p, err := proc.Start(proc.Spec{Path: "/bin/true"})
	must(t, err)
	_, err = p.Wait()
	must(t, err)
	return fmt.Sprintf("firedrill-test-%d-%d", p.PID, p.StartTime)
}

func makeGroup(t *testing.T, name string) {
	dir := filepath.Join(v2(t), name)
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { must(t, os.Remove(dir)) })
}

// makeDisk attaches an image to a loop device and mounts something whose source
// is called like it.
func makeDisk(t *testing.T, name string) {
	image := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(image, make([]byte, 1<<16), 0o600))
	f, err := os.Open(image)
	must(t, err)
	defer f.Close()
	dir := t.TempDir()
	must(t, unix.Mount(name, dir, "tmpfs", 0, "size=4k"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	loop := attach(t, f)
	t.Cleanup(func() { must(t, loop.Close()) })
}

// attach connects the image to a loop device, which goes with its last user.
func attach(t *testing.T, image *os.File) *os.File {
	control, err := os.Open("/dev/loop-control")
	must(t, err)
	defer control.Close()
	for range 100 { // somebody else may take the free device first
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		must(t, err)
		loop, err := os.Open(fmt.Sprintf("/dev/loop%d", n))
		must(t, err)
		c := unix.LoopConfig{Fd: uint32(image.Fd())}
		c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR | unix.LO_FLAGS_READ_ONLY
		if unix.IoctlLoopConfigure(int(loop.Fd()), &c) == nil {
			return loop
		}
		_ = loop.Close()
	}
	t.Fatal("every free loop device was taken first")
	return nil
}

// makeLab makes the state folder of a lab, as far as it says who owns it.
func makeLab(t *testing.T, name string) {
	pid, start, _ := ownerOf(name)
	id := strings.ReplaceAll(strings.TrimPrefix(name, "firedrill-test-"), "-", "")
	dir := filepath.Join(labs, id)
	must(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	must(t, os.WriteFile(filepath.Join(dir, "lab.json"), fmt.Appendf(nil, `{"id":%q,"owner":{"pid":%d,"start":%d}}`, id, pid, start), 0o600))
}

func v2(t *testing.T) string {
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		var s unix.Statfs_t
		if unix.Statfs(dir, &s) == nil && s.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir
		}
	}
	t.Fatal("no cgroup v2 is mounted at its usual places")
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
