package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/need"
)

// bin is where make build puts the programs.
var bin = func() string {
	dir, err := filepath.Abs("../../bin")
	if err != nil {
		panic(err)
	}
	return dir
}()

// TestMain also makes this test binary one of the services of a lab: the stranger's, the one
// that puts a filter of its own on a host's device, and the one that connects
// the tests with an address inside.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case neighbour:
		os.Exit(beNeighbour(os.Args[1:]))
	case server:
		os.Exit(beServer(os.Args[1:]))
	case tunnel:
		os.Exit(beTunnel(os.Args[1]))
	}
	for _, name := range []string{"injector", "hostagent", "lab/superapp", "lab/nats-server"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			fmt.Fprintf(os.Stderr, "%v: run make build first\n", err)
			os.Exit(1)
		}
	}
	// They wait most of the time. Only what is given on the command line comes later.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(digesttest.Run(m))
}

// atOnce is how many labs this machine carries without being late.
var atOnce = make(chan struct{}, 3)

// beside lets a test run beside others that raise a lab. It comes first: its turn
// ends when all that the test made is gone.
func beside(t *testing.T) {
	t.Helper()
	t.Parallel()
	atOnce <- struct{}{}
	t.Cleanup(func() { <-atOnce })
}

// succeeds runs the injector as a user would, wants exit code 0 and returns what
// it printed.
func succeeds(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "injector"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("injector %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

// inconclusive is the injector's exit code for a run that cannot be judged.
const inconclusive = 2

// holds has the injector run a file in the lab, as a pipeline would, wants exit code 0,
// and returns what it printed, where its results are, and what the run took. A run that
// this machine was too busy to measure says nothing of the file: it is tried once more,
// and notrun lists it.
func holds(t testing.TB, file string, flags ...string) (out, dir string, took time.Duration) {
	t.Helper()
	for try := 1; ; try++ {
		dir = t.TempDir()
		args := append([]string{"run", file, "--lab", "--plain", "--out", dir}, flags...)
		began := time.Now()
		text, err := exec.CommandContext(t.Context(), filepath.Join(bin, "injector"), args...).CombinedOutput()
		out, took = string(text), time.Since(began)
		if err == nil {
			return out, dir, took
		}
		var exit *exec.ExitError
		busy := errors.As(err, &exit) && exit.ExitCode() == inconclusive && strings.Contains(out, "too busy to measure")
		if try == 2 || !busy {
			t.Fatalf("injector run %s: %v\n%s", file, err, out)
		}
		t.Logf("%sthis machine was too busy to measure\n%s", need.Again, out)
	}
}

// The build tags that leave something out of a hostagent.
const (
	noBPF    = "firedrill_nobpf"
	noExempt = "firedrill_noexempt"
)

// twin builds a hostagent that lacks something.
func twin(t testing.TB, without string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hostagent")
	cmd := exec.Command("go", "build", "-tags", without, "-o", path, "../../hostagent")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build hostagent with %s: %v\n%s", without, err, out)
	}
	return path
}

func setup(env *testscript.Env) error {
	env.Setenv("BIN", bin)
	env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("SERVICES", filepath.Join(bin, "lab"))
	return nil
}
