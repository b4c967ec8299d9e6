package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// clone makes a copy of the repository as it stands here, all of it committed.
func clone(t *testing.T) (dir string) {
	t.Helper()
	need.Check(t, need.Git)
	dir = t.TempDir()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := filepath.Base(path)
		switch {
		case err != nil:
			return err
		case path != ".." && d.IsDir() && (name == ".git" || name == "bin" || name == "runs"):
			return fs.SkipDir
		case !d.Type().IsRegular() || name == ".git":
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, strings.TrimPrefix(path, ".."))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	tool(t, dir, nil, "git", "init", "-q")
	tool(t, dir, nil, "git", "add", "-A")
	tool(t, dir, nil, "git", "-c", "user.name=test", "-c", "user.email=test@localhost", "commit", "-qm", "as it stands")
	return dir
}

// tool runs a program in dir and returns what it prints.
func tool(t *testing.T, dir string, env []string, argv ...string) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", argv, err, &out, &errs)
	}
	return out.String()
}

// fails runs a program that is to fail, and returns what it prints and its exit code.
func fails(t *testing.T, argv ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%q: %v\n%s", argv, err, b)
	}
	return string(b), exit.ExitCode()
}

// A fault that was begun in a fresh clone adds its folder and one line, and is
// green as it stands: formatted, vetted, in the shape of the others, built in,
// with an effect that an independent meter sees, and left as found by every
// history that an agent can cause.
func TestBegunFaultIsGreen(t *testing.T) {
	dir := clone(t)
	if _, _, err := call("plugin", "new", "--repo", dir, "slowhop"); err != nil {
		t.Fatal(err)
	}
	if got, want := tool(t, dir, nil, "git", "status", "--porcelain"), " M hostagent/builtin.go\n?? plugins/slowhop/\n"; got != want {
		t.Errorf("git status says\n%swant\n%s", got, want)
	}
	if got, want := tool(t, dir, nil, "git", "diff", "--numstat"), "1\t0\thostagent/builtin.go\n"; got != want {
		t.Errorf("git diff says\n%swant\n%s", got, want)
	}
	if got := tool(t, dir, nil, "gofmt", "-l", "plugins/slowhop", "hostagent"); got != "" {
		t.Errorf("not formatted: %s", got)
	}
	// -trimpath: what was built of an earlier copy serves this one.
	tool(t, dir, nil, "go", "vet", "-trimpath", "./plugins/slowhop")
	tool(t, dir, nil, "go", "test", "-trimpath", "./plugins", "./internal/arch")
	described := tool(t, dir, nil, "go", "run", "-trimpath", "./hostagent", "plugin", "slowhop", "--describe")
	if b, err := os.ReadFile(filepath.Join(dir, "plugins/slowhop/describe.json")); err != nil || string(b) != described {
		t.Errorf("describe.json is not what the built-in plugin says (error %v):\n%s", err, described)
	}
	out := tool(t, dir, nil, "go", "test", "-trimpath", "-count=1", "-v", "./plugins/slowhop")
	for _, name := range []string{"TestEffect", "TestWithoutFaultThereIsNoEffect", "TestConformance/apply,_revert", "TestConformance/killed_during_apply", "TestConformanceOfRefusals"} {
		if need.Met(need.Root) && need.Met(need.Loop) && need.Met(need.Mkfs) && !strings.Contains(out, "--- PASS: "+name) {
			t.Errorf("%s did not pass:\n%s", name, out)
		}
	}
	// The second one of the same name is refused and changes nothing.
	before := tool(t, dir, nil, "git", "status", "--porcelain")
	if _, code, err := call("plugin", "new", "--repo", dir, "slowhop"); err == nil || code != exitUsage {
		t.Errorf("begun twice: exit code %d, %v", code, err)
	}
	if after := tool(t, dir, nil, "git", "status", "--porcelain"); after != before {
		t.Errorf("a refused name changed the repository:\n%s", after)
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	for _, name := range []string{"cpu", "Slow", "../x", "on", "func"} {
		if _, code, err := call("plugin", "new", "--repo", "..", name); err == nil || code != exitUsage {
			t.Errorf("%q: exit code %d, %v", name, code, err)
		}
	}
	if _, code, err := call("plugin", "new", "--repo", t.TempDir(), "hops"); code != exitUsage || !strings.Contains(err.Error(), "clone") {
		t.Errorf("outside a repository: exit code %d, %v", code, err)
	}
}
