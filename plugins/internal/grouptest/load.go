// Package grouptest gives the tests of faults that act on control groups a
// group, and programs to be limited in it.
package grouptest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Roles of a copy of the test binary, as first argument.
const (
	roleSpin = "group-spin"
	roleHold = "group-hold" // argument: bytes
)

// Main runs the program that the arguments name, and returns if they name none.
// It comes first in TestMain.
func Main() {
	if len(os.Args) < 2 || os.Args[1] != roleSpin && os.Args[1] != roleHold {
		return
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // closed once the program is in its group
	if os.Args[1] == roleSpin {
		for n := 0; ; n++ {
			_ = n
		}
	}
	n, _ := strconv.Atoi(os.Args[2])
	hold(n)
	os.Exit(0)
}

// hold keeps n bytes of memory that was written to, and says so.
func hold(n int) {
	b := make([]byte, n)
	for i := 0; i < n; i += os.Getpagesize() {
		b[i] = 1
	}
	fmt.Println("held")
	time.Sleep(time.Hour)
	fmt.Println(b[0])
}

// Load is a program in a group. It ends with the test.
type Load struct {
	*proc.Process
	out *os.File
}

// Says waits for the program's first words; "" if it ended without any.
func (l Load) Says() string {
	b := make([]byte, 64)
	n, _ := l.out.Read(b)
	return string(b[:n])
}

// Spin starts a program in groups that wants all of one CPU.
func Spin(t testing.TB, groups ...string) Load {
	return start(t, copyOfSelf(t, "spin"), groups, roleSpin)
}

// Hold starts a program in groups that says "held" when it has n bytes.
func Hold(t testing.TB, n int, groups ...string) Load {
	return start(t, copyOfSelf(t, "hold"), groups, roleHold, strconv.Itoa(n))
}

// Named starts an idle program called name in group.
func Named(t testing.TB, name, group string) Load {
	return start(t, copyOfSelf(t, name), []string{group}, roleHold, "1")
}

// Self starts an idle program in group that runs the same file as the test, as
// the agent and its plugins do.
func Self(t testing.TB, group string) Load {
	return start(t, proc.Self, []string{group}, roleHold, "1")
}

func start(t testing.TB, path string, groups []string, args ...string) Load {
	t.Helper()
	in, inW, err := os.Pipe()
	faulttest.Must(t, err)
	out, outW, err := os.Pipe()
	faulttest.Must(t, err)
	p, err := proc.Start(proc.Spec{Path: path, Args: args, Stdin: in, Stdout: outW, Stderr: os.Stderr})
	faulttest.Must(t, err)
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		_ = out.Close()
	})
	for _, g := range groups {
		faulttest.Must(t, cgroup.Write(g, "cgroup.procs", strconv.Itoa(p.PID)))
	}
	for _, f := range []*os.File{in, inW, outW} {
		faulttest.Must(t, f.Close())
	}
	return Load{p, out}
}

// copyOfSelf is another file than the test's: the test itself is the plugin,
// which is spared.
func copyOfSelf(t testing.TB, name string) string {
	t.Helper()
	in, err := os.Open(proc.Self)
	faulttest.Must(t, err)
	defer in.Close()
	path := filepath.Join(t.TempDir(), name)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	faulttest.Must(t, err)
	_, err = io.Copy(out, in)
	faulttest.Must(t, err)
	faulttest.Must(t, out.Close())
	return path
}
