package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// busyOnce stands in for an injector whose machine is too busy at its first run.
const busyOnce = `#!/bin/sh
echo "$@" >>"$0.runs"
[ "$(wc -l <"$0.runs")" = 1 ] || exit 0
echo 'the clients were late for 1.7 s of 6.0 s: this machine is too busy to measure'
exit 2
`

// noted keeps what a test says of itself from the list of what was tried again.
type noted struct {
	testing.TB
	lines []string
}

func (n *noted) Logf(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
}

// A run that the machine was too busy to measure is tried once more, with a folder of
// its own for its results.
func TestTooBusyIsTriedAgain(t *testing.T) {
	was := bin
	t.Cleanup(func() { bin = was })
	bin = t.TempDir()
	injector := filepath.Join(bin, "injector")
	if err := os.WriteFile(injector, []byte(busyOnce), 0o755); err != nil {
		t.Fatal(err)
	}
	n := &noted{TB: t}
	_, dir, _ := holds(n, "a.yaml")
	runs, err := os.ReadFile(injector + ".runs")
	lines := strings.Split(strings.TrimSpace(string(runs)), "\n")
	if err != nil || len(lines) != 2 || lines[0] == lines[1] || !strings.HasSuffix(lines[1], dir) {
		t.Errorf("%v, ran with %q", err, lines)
	}
	if len(n.lines) != 1 || !strings.HasPrefix(n.lines[0], need.Again) {
		t.Errorf("said %q, want one line for notrun", n.lines)
	}
}
