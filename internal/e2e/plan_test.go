package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// The same seed gives the same plan, digest and order of faults; another gives
// another digest.
func TestSameSeedSamePlan(t *testing.T) {
	plan := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(filepath.Join(bin, "injector"), append([]string{"plan", "../../experiments/datacenter-fire", "--json"}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		return string(out)
	}
	first := plan()
	if again := plan(); again != first {
		t.Errorf("two plans of one seed differ:\n%s\n%s", first, again)
	}
	if other := plan("--var", "first_zones=ups-a3"); other == first {
		t.Error("another first zone gives the same plan")
	}
}
