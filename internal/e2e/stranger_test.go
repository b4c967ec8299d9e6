package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// fenced finds the blocks of one language in a page.
func fenced(page, language string) (out []string) {
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return out
}

// A stranger comes from an installed injector to a verdict on his own service
// with docs/ci.md alone: its commands, one after another, in a folder that holds
// nothing but his program.
func TestStrangersAfternoon(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	beside(t)
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := strings.Split(strings.TrimSpace(fenced(string(page), "sh")[0]), "\n")
	if len(commands) > 10 {
		t.Errorf("%d commands, at most ten are an afternoon", len(commands))
	}
	last := commands[len(commands)-1]
	for _, block := range fenced(string(page), "yaml") {
		if !strings.Contains(block, last) {
			t.Errorf("this pipeline does not run what is tried here, %q:\n%s", last, block)
		}
	}
	dir := t.TempDir()
	copyOfMe(t, filepath.Join(dir, server))
	for _, line := range commands {
		if line == last {
			// All experiments are TestPrerelease's; here it is the loop that is tried.
			keepOnly(t, dir, "zone-partition.yaml")
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-c", line)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		t.Logf("$ %s\n%s", line, out)
	}
	if reports, _ := filepath.Glob(dir + "/results/*/report.html"); len(reports) != 2 {
		t.Errorf("%d reports, want one of each run", len(reports))
	}
}

// server is the stranger's service, which is this test binary under that name.
const server = "server"

// beServer answers everything on the address after --listen.
func beServer(args []string) int {
	err := http.ListenAndServe(args[1], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func copyOfMe(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o755); err != nil {
		t.Fatal(err)
	}
}

// keepOnly removes all experiments but one.
func keepOnly(t *testing.T, dir, name string) {
	t.Helper()
	all, err := filepath.Glob(dir + "/drills/*-*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if filepath.Base(path) != name {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}
