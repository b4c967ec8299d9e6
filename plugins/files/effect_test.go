package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

const mib = 1 << 20

var here = fault.Target{StateDir: "/"}

// roleOpener is a copy of the test binary that enters the group of its argument and,
// for each line it is sent, says how many of 50 files it could open and why no more.
const roleOpener = "files-opener"

const wanted = 50

func opener() {
	if len(os.Args) != 3 || os.Args[1] != roleOpener {
		return
	}
	if err := cgroup.Enter(os.Args[2]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for b := make([]byte, 1); ; {
		if _, err := os.Stdin.Read(b); err != nil {
			os.Exit(0)
		}
		n := 0
		var fds []int
		var err error
		for ; n < wanted; n++ {
			var fd int
			if fd, err = unix.Open("/dev/null", unix.O_RDONLY, 0); err != nil {
				break
			}
			fds = append(fds, fd)
		}
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		fmt.Printf("%d %v\n", n, err)
	}
}

// program is one in a group that opens files when it is told to.
type program struct {
	*proc.Process
	file    string // that it runs
	in, out *os.File
}

// opens is the check of both tests: how many of 50 files the program could open.
func (p program) opens(t *testing.T) (n int, answer string) {
	t.Helper()
	_, err := p.in.Write([]byte("x"))
	faulttest.Must(t, err)
	b := make([]byte, 100)
	k, err := p.out.Read(b)
	faulttest.Must(t, err)
	if _, err := fmt.Sscan(string(b[:k]), &n); err != nil {
		t.Fatalf("the program said %q", b[:k])
	}
	return n, string(b[:k])
}

func start(t testing.TB, dir string) program {
	t.Helper()
	theirIn, in, err := os.Pipe()
	faulttest.Must(t, err)
	out, theirOut, err := os.Pipe()
	faulttest.Must(t, err)
	file := filepath.Join(t.TempDir(), "notes") // another file than the test's, which is spared
	self, err := os.Open(proc.Self)
	faulttest.Must(t, err)
	copied, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY, 0o755)
	faulttest.Must(t, err)
	_, err = io.Copy(copied, self)
	faulttest.Must(t, errors.Join(err, copied.Close(), self.Close()))
	p, err := proc.Start(proc.Spec{Path: file, Args: []string{roleOpener, dir}, Stdin: theirIn, Stdout: theirOut, Stderr: os.Stderr})
	faulttest.Must(t, err)
	faulttest.Must(t, errors.Join(theirIn.Close(), theirOut.Close()))
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		_ = in.Close()
		_ = out.Close()
	})
	b := make([]byte, 20)
	_, err = out.Read(b)
	faulttest.Must(t, err)
	return program{p, file, in, out}
}

// limit is a process's soft and hard limit of open files.
func limit(t testing.TB, pid int) (l unix.Rlimit) {
	t.Helper()
	faulttest.Must(t, unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &l))
	return l
}

// A program opens eight files more and no ninth, from the limit that it had before
// it has the same again, and a child that took the limit over as well.
func TestDescriptorsHold(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	p := start(t, dir)
	found := unix.Rlimit{Cur: 777, Max: 999}
	faulttest.Must(t, unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, &found, nil))
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "descriptors", Leave: 8, Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if l := limit(t, p.PID); l.Cur >= found.Cur || l.Max != found.Max {
		t.Errorf("the limits are %+v, they were %+v", l, found)
	}
	got, answer := p.opens(t)
	if answer != "8 too many open files\n" {
		t.Errorf("the program opened %q, asked was to leave 8", answer)
	}
	o := faulttest.Observe(t, Plugin{}, here, c)
	if o.State != fault.Present || o.Dose != fault.InForce || o.Achieved[1].Value != 8 {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	child := start(t, dir) // stands for one that was forked meanwhile
	ours := limit(t, p.PID)
	faulttest.Must(t, unix.Prlimit(child.PID, unix.RLIMIT_NOFILE, &ours, nil))
	record, err := json.Marshal(c)
	faulttest.Must(t, err)
	for range 2 {
		faulttest.Must(t, fault.NewDriver(Plugin{}).Revert(t.Context(), here, record))
	}
	for _, pid := range []int{p.PID, child.PID} {
		if l := limit(t, pid); l != found {
			t.Errorf("the limits of %d are %+v, they were %+v", pid, l, found)
		}
	}
	if got, answer := p.opens(t); got != wanted {
		t.Errorf("the program opened %q after revert", answer)
	}
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: fmt.Sprintf("files that a program opens, of %d", wanted), Asked: 8, Achieved: float64(got), Unit: "descriptors",
		Found: []string{fmt.Sprint(found)}, Left: []string{fmt.Sprint(limit(t, p.PID))},
	})
	t.Logf("asked to leave 8, got %d; %s", got, o.Detail)
}

// A program is named by its file: its processes are held and those of no other
// program, of the same group.
func TestOneProgram(t *testing.T) {
	dir, _ := grouptest.New(t, grouptest.V2)
	p, other := start(t, dir), start(t, dir)
	found, theirs := limit(t, p.PID), limit(t, other.PID)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "descriptors", Leave: 8, Selection: scope.Selection{Executable: p.file}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if got, answer := p.opens(t); got != 8 {
		t.Errorf("the program opened %q, asked was to leave 8", answer)
	}
	if l := limit(t, other.PID); l != theirs {
		t.Errorf("another program's limits are %+v, they were %+v", l, theirs)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Present || o.Dose != fault.InForce {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if l := limit(t, p.PID); l != found {
		t.Errorf("the limits are %+v, they were %+v", l, found)
	}
}

// The twin: without the fault the same program opens all.
func TestWithoutLimitAllAreOpened(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	p := start(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "descriptors", Leave: 8, Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	if got, answer := p.opens(t); got != wanted {
		t.Errorf("the program opened %q without any fault", answer)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

// With none left no file can be opened, which is seen in what the process has.
func TestNoneLeft(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	p := start(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "descriptors", Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if got, answer := p.opens(t); got != 0 {
		t.Errorf("the program opened %q", answer)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
}

// A process that ended before it is reached is no error as long as others run, its
// pid is not touched, and with nobody left the target is gone.
func TestProcessEndsMeanwhile(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	first, second := start(t, dir), start(t, dir)
	before := limit(t, second.PID)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "descriptors", Leave: 1, Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, first.Kill())
	_, _ = first.Wait()
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Present {
		t.Errorf("observed %s: %s", o.State, o.Detail)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	for i := range c.Descriptors.Processes {
		c.Descriptors.Processes[i].Start++ // as if the pids had been given again
	}
	if err := (Plugin{}).Apply(t.Context(), here, c, 0, 0); !errors.Is(err, fault.ErrGone) {
		t.Errorf("apply: error %v, want %v", err, fault.ErrGone)
	}
	faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	if l := limit(t, second.PID); l != before {
		t.Errorf("the limits are %+v, they were %+v", l, before)
	}
}

// A limit that somebody else set meanwhile is left.
func TestOthersLimitStays(t *testing.T) {
	dir, path := grouptest.New(t, grouptest.V2)
	p := start(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "descriptors", Leave: 8, Selection: scope.Selection{Scope: scope.Scope{Group: path}}})
	faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
	theirs := limit(t, p.PID)
	theirs.Cur = 123
	faulttest.Must(t, unix.Prlimit(p.PID, unix.RLIMIT_NOFILE, &theirs, nil))
	if err := (Plugin{}).Apply(t.Context(), here, c, 0, 0); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("apply: error %v, want %v", err, fault.ErrChanged)
	}
	if err := (Plugin{}).Revert(t.Context(), here, c); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrStuck)
	}
	if l := limit(t, p.PID); l != theirs {
		t.Errorf("the limits are %+v, theirs were %+v", l, theirs)
	}
}

// makes is the check of both tests of inodes: how many of 50 files can be made.
func makes(t *testing.T, dir string) (n int, answer error) {
	t.Helper()
	var names []string
	for ; n < wanted; n++ {
		f, err := os.CreateTemp(dir, "notes")
		if err != nil {
			answer = err
			break
		}
		names = append(names, f.Name())
		faulttest.Must(t, f.Close())
	}
	for _, name := range names {
		faulttest.Must(t, os.Remove(name))
	}
	return n, answer
}

func freeInodes(t *testing.T, dir string) uint64 {
	t.Helper()
	var s unix.Statfs_t
	faulttest.Must(t, unix.Statfs(dir, &s))
	return s.Ffree
}

// Ten files can be made and no eleventh, with space left; all inodes are free
// again afterwards, and a file of somebody else's in our folder stays.
func TestInodesHold(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 64*mib, "-N", "50000")
	before, list := freeInodes(t, dir), filesystemtest.Listing(t, dir)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "inodes", Leave: 10, Path: dir})
	began := time.Now()
	for range 2 {
		faulttest.Must(t, Plugin{}.Apply(t.Context(), here, c, 0, 0))
		if left := freeInodes(t, dir); left != 10 {
			t.Errorf("%d inodes are free, asked was 10", left)
		}
	}
	took := time.Since(began)
	got, answer := makes(t, dir)
	if !errors.Is(answer, unix.ENOSPC) {
		t.Errorf("%d files were made: %v", got, answer)
	}
	o := faulttest.Observe(t, Plugin{}, here, c)
	if o.State != fault.Present || o.Dose != fault.Exercised {
		t.Errorf("observed %s, %s: %s", o.State, o.Dose, o.Detail)
	}
	theirs := filepath.Join(c.Inodes.folder(), "7theirs")
	faulttest.Must(t, os.WriteFile(theirs, []byte("hello"), 0o600))
	began = time.Now()
	if err := (Plugin{}).Revert(t.Context(), here, c); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("revert: error %v, want %v", err, fault.ErrStuck)
	}
	back := time.Since(began)
	faulttest.Must(t, os.Remove(theirs))
	for range 2 {
		faulttest.Must(t, Plugin{}.Revert(t.Context(), here, c))
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s after revert", o.State, o.Dose)
	}
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: fmt.Sprintf("files that are made on ext4, of %d", wanted), Asked: 10, Achieved: float64(got), Unit: "inodes",
		Found: list, Left: filesystemtest.Listing(t, dir),
	})
	t.Logf("asked to leave 10, got %d of %d, taken in %v, given back in %v; %s", got, before, took, back, o.Detail)
}

// The twin: without the fault all are made.
func TestWithoutFaultAllFilesAreMade(t *testing.T) {
	dir, _ := filesystemtest.Ext4(t, 32*mib)
	c := faulttest.Prepare(t, Plugin{}, here, Params{Which: "inodes", Leave: 10, Path: dir})
	if got, err := makes(t, dir); got != wanted {
		t.Errorf("%d files were made without any fault: %v", got, err)
	}
	if o := faulttest.Observe(t, Plugin{}, here, c); o.State != fault.Absent || o.Dose != fault.NotInForce {
		t.Errorf("observed %s, %s without any fault", o.State, o.Dose)
	}
}

func TestRefusals(t *testing.T) {
	_, path := grouptest.New(t, grouptest.V2)
	dir, _ := filesystemtest.Ext4(t, 32*mib)
	for name, c := range map[string]struct {
		field string
		p     Params
		state string
	}{
		"neither":             {"which", Params{Which: "space", Path: dir}, "/"},
		"below zero":          {"leave", Params{Which: "inodes", Leave: -1, Path: dir}, "/"},
		"the agent's records": {"path", Params{Which: "inodes", Path: dir}, dir},
		"no ext4":             {"path", Params{Which: "inodes", Path: "/dev/shm"}, "/"},
		"less free already":   {"leave", Params{Which: "inodes", Leave: 1e9, Path: dir}, "/"},
		"the host's own":      {"leave", Params{Which: "inodes", Leave: 1, Path: "/"}, "/proc"},
		"inodes of a group":   {"which", Params{Which: "inodes", Path: dir, Selection: scope.Selection{Scope: scope.Scope{Group: path}}}, "/"},
		"nobody there":        {"group", Params{Which: "descriptors", Selection: scope.Selection{Scope: scope.Scope{Group: path}}}, "/"},
		"whole host":          {"group", Params{Which: "descriptors", Selection: scope.Selection{Scope: scope.Scope{Group: "/"}}}, "/"},
		"no service":          {"service", Params{Which: "descriptors"}, "/"},
		"path of descriptors": {"path", Params{Which: "descriptors", Selection: scope.Selection{Scope: scope.Scope{Group: path}}, Path: dir}, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			faulttest.PrepareRefused(t, Plugin{}, fault.Target{StateDir: c.state}, c.p, c.field)
		})
	}
}
