package pids

import (
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// The limit of a service outlives a daemon-reload and holds after it.
func TestOnServiceOfSystemd(t *testing.T) {
	grouptest.OnUnit(t, driver, Params{Limit: limit, Scope: scope.Scope{Service: "fd-sleeper"}}, limitFile, func(t *testing.T, dir string) {
		if got, threads, answer := fork(t, dir); got >= limit || threads > limit || threads < limit-1 || !strings.Contains(answer, "temporarily unavailable") {
			t.Errorf("%s of %d programs under a limit of %d", answer, wanted, limit)
		}
	})
}
