package grouptest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// unitFolder is where unit files lie that are gone with the next boot, systemd.unit(5).
const unitFolder = "/run/systemd/system"

// Units writes unit files by name and makes them known; the units are stopped and
// their files gone with the test.
func Units(t testing.TB, files map[string]string) {
	t.Helper()
	need.Check(t, need.Root, need.Systemd)
	faulttest.Must(t, WriteUnits(files))
	t.Cleanup(func() { faulttest.Must(t, RemoveUnits(files)) })
}

// WriteUnits is Units without a test. The manager reads a new file when it is asked
// for its unit, so all files are read again, which takes it long, only where it has
// an older one or can't be asked: for a template.
func WriteUnits(files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(unitFolder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return Ask(func(ctx context.Context, m *systemd.Manager) error {
		for name := range files {
			u, err := m.Unit(ctx, name)
			if err != nil || u.Load != "loaded" || u.Stale || u.File != filepath.Join(unitFolder, name) {
				return m.Reload(ctx)
			}
		}
		return nil
	})
}

// RemoveUnits stops the units, which the manager then forgets, and removes their
// files.
func RemoveUnits(files map[string]string) error {
	return Ask(func(ctx context.Context, m *systemd.Manager) error {
		for range 2 { // a timer may have started its service again before it was stopped itself
			for name := range files {
				if u, err := m.Unit(ctx, name); err == nil && u.Active != "inactive" {
					_ = m.Stop(ctx, name) // with another one it requires, perhaps
					_ = m.ResetFailed(ctx, name)
				}
			}
		}
		for name := range files {
			if err := os.Remove(filepath.Join(unitFolder, name)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		return nil
	})
}

// Ask does something with the service manager.
func Ask(fn func(context.Context, *systemd.Manager) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	m, err := systemd.Open(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	return fn(ctx, m)
}

// StartUnits starts units in order.
func StartUnits(t testing.TB, names ...string) {
	t.Helper()
	faulttest.Must(t, Ask(func(ctx context.Context, m *systemd.Manager) error {
		for _, name := range names {
			if err := m.Start(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}))
}

// RestartUnit restarts a unit, as a person would.
func RestartUnit(t testing.TB, name string) {
	t.Helper()
	faulttest.Must(t, Ask(func(ctx context.Context, m *systemd.Manager) error { return m.Restart(ctx, name) }))
}

// ReadUnit is what systemd says of a unit.
func ReadUnit(t testing.TB, name string) (u systemd.Unit) {
	t.Helper()
	faulttest.Must(t, Ask(func(ctx context.Context, m *systemd.Manager) (err error) {
		u, err = m.Unit(ctx, name)
		return err
	}))
	return u
}

// Reload is what packages and people do at any time: systemctl daemon-reload.
func Reload(t testing.TB) {
	t.Helper()
	faulttest.Must(t, Ask(func(ctx context.Context, m *systemd.Manager) error { return m.Reload(ctx) }))
}
