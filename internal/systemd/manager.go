package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Errors of the manager that callers branch on.
var (
	// ErrMasked: the unit is masked, so it can't be started.
	ErrMasked = errors.New("unit is masked")
	// ErrNoUnit: the manager has no unit of that name, nor a file to load it from.
	ErrNoUnit = errors.New("no such unit")
)

// Manager is a connection to the service manager.
type Manager struct{ c *sd.Conn }

// Open dials the service manager. The caller must Close.
func Open(ctx context.Context) (*Manager, error) {
	one, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial systemd: %w", err)
	}
	// The library asks for two, one for calls and one for signals. The manager sends
	// all signals to both, several for each unit when it reloads, and to read them
	// takes longer than the reload.
	c, err := sd.NewConnection(func() (*dbus.Conn, error) { return one, nil })
	if err != nil {
		return nil, fmt.Errorf("dial systemd: %w", err)
	}
	return &Manager{c}, nil
}

// dial connects to the manager itself, as root may.
func dial(ctx context.Context) (*dbus.Conn, error) {
	c, err := dbus.Dial("unix:path=/run/systemd/private", dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	if err := c.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close ends the connection.
func (m *Manager) Close() { m.c.Close() }

// Reload has the manager read all unit files and masks again, as systemctl
// daemon-reload does.
func (m *Manager) Reload(ctx context.Context) error {
	if err := m.c.ReloadContext(ctx); err != nil {
		return fmt.Errorf("reload systemd: %w", err)
	}
	return nil
}

// Stopping says whether the manager is taking the host down.
func (m *Manager) Stopping(ctx context.Context) (bool, error) {
	p, err := m.c.SystemStateContext(ctx)
	if err != nil {
		return false, fmt.Errorf("read state of systemd: %w", err)
	}
	state, _ := p.Value.Value().(string)
	return state == "stopping", nil
}

// Start starts a unit and waits until it is up, or until ctx ends.
func (m *Manager) Start(ctx context.Context, name string) error {
	return m.job(ctx, "start", name, func(done chan<- string) (int, error) {
		return m.c.StartUnitContext(ctx, name, "replace", done)
	})
}

// Restart starts a unit anew and waits until it is up.
func (m *Manager) Restart(ctx context.Context, name string) error {
	return m.job(ctx, "restart", name, func(done chan<- string) (int, error) {
		return m.c.RestartUnitContext(ctx, name, "replace", done)
	})
}

// Stop stops units together and waits for their end.
func (m *Manager) Stop(ctx context.Context, names ...string) error {
	// All are asked for before one is waited for: what a socket is told after its
	// service is gone would start that again.
	results := make([]chan string, len(names))
	for i, name := range names {
		results[i] = make(chan string, 1)
		if _, err := m.c.StopUnitContext(ctx, name, "replace", results[i]); err != nil {
			return fmt.Errorf("stop unit %s: %w", name, meaning(err))
		}
	}
	for i, name := range names {
		if err := ended(ctx, "stop", name, results[i]); err != nil {
			return err
		}
	}
	return nil
}

// ResetFailed takes a unit's failures back, those that count towards its start
// limit included.
func (m *Manager) ResetFailed(ctx context.Context, name string) error {
	if err := m.c.ResetFailedUnitContext(ctx, name); err != nil {
		return fmt.Errorf("reset unit %s: %w", name, meaning(err))
	}
	return nil
}

// job has the manager do one job and waits for its end.
func (m *Manager) job(ctx context.Context, verb, name string, call func(done chan<- string) (int, error)) error {
	done := make(chan string, 1)
	if _, err := call(done); err != nil {
		return fmt.Errorf("%s unit %s: %w", verb, name, meaning(err))
	}
	return ended(ctx, verb, name, done)
}

func ended(ctx context.Context, verb, name string, done <-chan string) error {
	select {
	case result := <-done:
		if !strings.EqualFold(result, "done") {
			return fmt.Errorf("%s unit %s: systemd says %s; see systemctl status %s", verb, name, result, name)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s unit %s: systemd does not end the job: %w", verb, name, ctx.Err())
	}
}

// meaning adds what callers branch on to an error of the manager.
func meaning(err error) error {
	var said dbus.Error
	if !errors.As(err, &said) {
		return err
	}
	switch said.Name {
	case "org.freedesktop.systemd1.UnitMasked":
		return fmt.Errorf("%w: %w", ErrMasked, err)
	case "org.freedesktop.systemd1.NoSuchUnit":
		return fmt.Errorf("%w: %w", ErrNoUnit, err)
	}
	return err
}
