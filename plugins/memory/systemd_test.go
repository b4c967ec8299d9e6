package memory

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// The limit of a service outlives a daemon-reload and holds after it: what asks for
// more is killed.
func TestOnServiceOfSystemd(t *testing.T) {
	grouptest.OnUnit(t, driver, Params{Limit: "64MiB", Scope: scope.Scope{Service: "fd-sleeper"}}, maxFile, func(t *testing.T, dir string) {
		load := grouptest.Hold(t, 128*mib, dir)
		if code, err := load.Wait(); code != 137 || err != nil {
			t.Errorf("the program that asked for too much: code %d, %v", code, err)
		}
		if most := number(t, dir, "memory.current"); most > 64*mib {
			t.Errorf("the group uses %d bytes, its limit is 64 MiB", most)
		}
	})
}
