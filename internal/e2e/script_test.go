package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/firedrill-io/firedrill/internal/need"
)

// One script a cause: what the user is told, the exit code, and that nothing
// has changed (TestMain compares the machine).
func TestScripts(t *testing.T) {
	need.Check(t, need.Root)
	without := twin(t, noBPF)
	python, err := filepath.Abs("../../plugins/examples/python/hops.py")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NOBPF", without)
			env.Setenv("PYTHON", python)
			return setup(env)
		},
		Condition: func(name string) (bool, error) {
			if name == "python" {
				return need.Met(need.Python), nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code, "neighbour": serveNeighbour, "report": grepReport},
	})
}

// code N PROGRAM ARGS… runs a program and checks its exit code. The program
// nobody: runs as the user nobody.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var cmd *exec.Cmd
	if args[1] == "nobody:" {
		cmd = asNobody(ts, args[2], args[3:])
	} else {
		cmd = exec.Command(filepath.Join(bin, args[1]), args[2:]...)
		cmd.Dir = ts.Getenv("WORK")
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, ts.Stdout()), io.MultiWriter(&errs, ts.Stderr())
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("run %s: %v", cmd.Path, err)
	}
	// For grep: testscript's own stdout command sees only what exec ran.
	ts.Check(os.WriteFile(ts.MkAbs("stdout"), out.Bytes(), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs("stderr"), errs.Bytes(), 0o644))
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// asNobody runs a copy of the program, and of the work folder's files, where
// the user nobody may reach them.
func asNobody(ts *testscript.TestScript, name string, args []string) *exec.Cmd {
	dir, err := os.MkdirTemp("", "nobody")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(dir) })
	ts.Check(os.Chmod(dir, 0o777))
	files, err := filepath.Glob(filepath.Join(ts.Getenv("WORK"), "*.yaml"))
	ts.Check(err)
	for _, from := range append(files, filepath.Join(bin, name)) {
		b, err := os.ReadFile(from)
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, filepath.Base(from)), b, 0o755))
	}
	cmd := exec.Command(filepath.Join(dir, name), args...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// report PATTERN looks for a regular expression in the run's report.json.
func grepReport(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: report PATTERN")
	}
	files, err := filepath.Glob(ts.MkAbs("runs/*/report.json"))
	ts.Check(err)
	if len(files) != 1 {
		ts.Fatalf("%d reports, want one", len(files))
	}
	b, err := os.ReadFile(files[0])
	ts.Check(err)
	if regexp.MustCompile(args[0]).Match(b) == neg {
		ts.Fatalf("report.json: match for %q is %v:\n%s", args[0], !neg, b)
	}
}

// serveNeighbour DIR copies the lab's services into DIR and adds neighbour.
func serveNeighbour(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: neighbour DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	self, err := os.Executable()
	ts.Check(err)
	for name, from := range map[string]string{neighbour: self, "superapp": filepath.Join(bin, "lab/superapp")} {
		b, err := os.ReadFile(from)
		ts.Check(err)
		ts.Check(os.WriteFile(filepath.Join(dir, name), b, 0o755))
	}
}
