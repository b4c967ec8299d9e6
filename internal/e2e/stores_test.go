package e2e

import (
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// stores is where .ci/stores unpacks Debian's Redis and PostgreSQL.
var stores = filepath.Join(bin, "stores")

// A power cut takes from a stock Redis and PostgreSQL what their settings leave
// unsynced, as the file predicts, and a kill of the same processes takes nothing. Six
// stores with six ledgers fill this machine, so make test runs it beside nothing else.
func TestStores(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs, need.Stores)
	for name, file := range map[string]string{"power cut": "experiment.yaml", "kill": "kill.yaml"} {
		t.Run(name, func(t *testing.T) {
			out, _, _ := holds(t, filepath.Join("../../experiments/stores", file), "--as-predicted", "--services", stores)
			t.Log(out)
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
			beside(t)
			dir := filepath.Join(t.TempDir(), "drills")
			argv := append([]string{"lab", "init", dir, "--port", port, "--", filepath.Join(stores, command[0])}, command[1:]...)
			succeeds(t, argv...)
			// The programs need what lies beside them, so the folder is named.
			out, _, _ := holds(t, filepath.Join(dir, "rack-power-loss.yaml"), "--services", stores)
			t.Log(out)
		})
	}
}
