package io

import (
	"math"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// The limit of a service, which has no limits by itself, outlives a daemon-reload
// and is accurate after it.
func TestOnServiceOfSystemd(t *testing.T) {
	device, _ := filesystemtest.Device(t, 32*mib)
	const asked = 4 * mib
	grouptest.OnUnit(t, driver, Params{Write: "4MiB/s", Device: device, Scope: scope.Scope{Service: "fd-sleeper"}}, v2File, func(t *testing.T, dir string) {
		var bytes float64
		for range 3 { // a limit is a ceiling, and a machine that is too busy for a moment stays below it
			if bytes, _ = runs(t, dir, device, "w", 64<<10)(); bytes >= asked*(1-within) {
				break
			}
		}
		t.Logf("asked %d, got %.0f, %+.2f%%", asked, bytes, 100*(bytes/asked-1))
		if math.Abs(bytes/asked-1) > within {
			t.Errorf("got %.0f bytes per second, asked was %d", bytes, asked)
		}
	})
}
