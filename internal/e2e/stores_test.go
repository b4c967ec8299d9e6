package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// stores is where .ci/stores unpacks Debian's Redis and PostgreSQL.
var stores = filepath.Join(bin, "stores")

// A power cut takes from a stock Redis and PostgreSQL what their settings leave
// unsynced, as the file predicts, and a kill of the same processes takes nothing.
func TestStores(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs, need.Stores)
	for name, file := range map[string]string{"power cut": "experiment.yaml", "kill": "kill.yaml"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runsAs(t, "run", filepath.Join("../../experiments/stores", file), "--lab", "--as-predicted", "--plain", "--services", stores)
		})
	}
}

// What lab init writes for three replicas of a stock server runs, and holds.
func TestStockServers(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs, need.Stores)
	for port, command := range map[string][]string{
		"6379": {"redis", "--bind", "${ip}", "--protected-mode", "no", "--dir", "/data", "--appendonly", "yes"},
		"5432": {"postgres", "-c", "listen_addresses=${ip}"},
	} {
		t.Run(command[0], func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "drills")
			argv := append([]string{"lab", "init", dir, "--port", port, "--", filepath.Join(stores, command[0])}, command[1:]...)
			if out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "injector"), argv...).CombinedOutput(); err != nil {
				t.Fatalf("lab init: %v\n%s", err, out)
			}
			// The programs need what lies beside them, so the folder is named.
			runsAs(t, "run", filepath.Join(dir, "rack-power-loss.yaml"), "--lab", "--plain", "--services", stores)
		})
	}
}

// runsAs runs the injector, two labs at once at most, and wants exit code 0.
func runsAs(t *testing.T, args ...string) {
	t.Helper()
	atOnce <- struct{}{}
	defer func() { <-atOnce }()
	args = append(args, "--out", t.TempDir())
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "injector"), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
