// Package processtest gives the tests of faults that act on processes programs
// to act on: copies of the test binary under another name, for the test binary
// itself is the plugin, which is spared.
package processtest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// Role is what a program does, its first argument.
type Role string

// The roles.
const (
	Idle     Role = "processtest-idle"     // nothing
	Stubborn Role = "processtest-stubborn" // ignores SIGTERM
	Keep     Role = "processtest-keep"     // argument: a path; keeps one idle program of it alive
	Clock    Role = "processtest-clock"    // answers each line of its input by the time of day in ns
	Busy     Role = "processtest-busy"     // like Clock, and reads the clock in four threads all the time
	Parent   Role = "processtest-parent"   // like Clock, and answers "child" through a program that it starts
	Talk     Role = "processtest-talk"     // talks over the network as it is told, see talker
)

// Main runs the program that the arguments name, and returns if they name none.
// It comes first in TestMain.
func Main() {
	if len(os.Args) < 2 || !strings.HasPrefix(os.Args[1], "processtest-") {
		return
	}
	switch Role(os.Args[1]) {
	case Stubborn:
		signal.Ignore(syscall.SIGTERM)
	case Keep:
		keep(os.Args[2])
	case Clock:
		answer(func(string) string { return strconv.FormatInt(time.Now().UnixNano(), 10) })
		os.Exit(0)
	case Busy:
		for range 4 {
			go func() {
				for {
					_ = time.Now()
				}
			}()
		}
		answer(func(string) string { return strconv.FormatInt(time.Now().UnixNano(), 10) })
		os.Exit(0)
	case Parent:
		parent()
		os.Exit(0)
	case Talk:
		answer((&talker{}).answer)
		os.Exit(0)
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
	os.Exit(0)
}

func keep(path string) {
	for {
		p, err := proc.Start(proc.Spec{Path: path, Args: []string{string(Idle)}})
		if err != nil {
			os.Exit(1)
		}
		_, _ = p.Wait()
	}
}

// answer prints reply's answer to each line of the input, after a first "ready".
func answer(reply func(line string) string) {
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(reply(in.Text()))
	}
}

// parent starts a new program at each line "child" and asks it.
func parent() {
	answer(func(line string) string {
		if line != "child" {
			return strconv.FormatInt(time.Now().UnixNano(), 10)
		}
		in, inW, _ := os.Pipe()
		outR, out, _ := os.Pipe()
		p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{string(Clock)}, Stdin: in, Stdout: out})
		if err != nil {
			return err.Error()
		}
		_, _ = in.Close(), out.Close()
		_, _ = io.WriteString(inW, "now\n")
		lines := bufio.NewScanner(outR)
		lines.Scan()
		lines.Scan()
		_, _ = inW.Close(), outR.Close()
		_, _ = p.Wait()
		return lines.Text()
	})
}

// Program is a program of a test. It ends with the test.
type Program struct {
	*proc.Process
	Path string
	in   *os.File
	out  *bufio.Scanner
}

// Start starts a program of a name in groups and waits until it is ready.
func Start(t testing.TB, name string, role Role, groups ...string) *Program {
	t.Helper()
	need.Check(t, need.Root)
	path := filepath.Join(t.TempDir(), name)
	must(t, Copy(path))
	return Run(t, proc.Spec{Path: path, Args: []string{string(role)}}, groups...)
}

// Run runs a program that behaves like one of a role, as Start does.
func Run(t testing.TB, spec proc.Spec, groups ...string) *Program {
	t.Helper()
	in, inW, err := os.Pipe()
	must(t, err)
	out, outW, err := os.Pipe()
	must(t, err)
	spec.Stdin, spec.Stdout, spec.Stderr = in, outW, os.Stderr
	p, err := proc.Start(spec)
	must(t, err)
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		_, _ = inW.Close(), out.Close()
	})
	_, _ = in.Close(), outW.Close()
	for _, g := range groups {
		must(t, cgroup.Write(g, "cgroup.procs", strconv.Itoa(p.PID)))
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("program %s ended at once", spec.Path)
	}
	return &Program{p, spec.Path, inW, lines}
}

// Ask writes a line to the program and returns the line it answers.
func (p *Program) Ask(t testing.TB, line string) string {
	t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	must(t, err)
	if !p.out.Scan() {
		t.Fatalf("pid %d does not answer: %v", p.PID, p.out.Err())
	}
	return p.out.Text()
}

// Copy copies the running executable to path.
func Copy(path string) error { return CopyOf(proc.Self, path) }

// CopyOf places a copy of a program at path.
func CopyOf(program, path string) error {
	in, err := os.Open(program)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err = io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

// Group makes a v2 group that goes with the test; Start programs after it.
func Group(t testing.TB) (dir, path string) {
	t.Helper()
	need.Check(t, need.Root)
	v2, err := cgroup.V2()
	must(t, err)
	path = "/" + digesttest.Name()
	dir = filepath.Join(v2.Mount, path)
	must(t, cgroup.Create(dir))
	t.Cleanup(func() { must(t, cgroup.Remove(dir, 5*time.Second)) })
	return dir, path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
