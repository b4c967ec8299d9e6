// Package systemd asks the service manager for units that live until the next
// boot at most. It speaks to it directly, so that no message bus is needed, and
// only as root.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Slice is the slice that services are in, and our units with them.
const Slice = "system.slice"

// limit is how long the manager may take to answer.
const limit = 20 * time.Second

// Running says whether systemd is this machine's service manager, sd_booted(3).
func Running() bool {
	_, err := os.Lstat("/run/systemd/system")
	return err == nil
}

// Delegate starts a scope that holds pid and, in cgroup v2, whatever groups its
// processes make below it: the manager leaves them alone and hands all
// controllers on to them, systemd.resource-control(5), Delegate=. The scope ends
// with its last process. weight is its share of the CPU beside other units, 1 to
// 10,000.
func Delegate(name, description string, pid int, weight uint64) error {
	return start(name, description,
		sd.PropSlice(Slice), sd.PropPids(uint32(pid)), property("Delegate", true),
		property("CPUWeight", weight), property("TasksMax", ^uint64(0)))
}

// asking are the properties by which a unit asks for a controller without a
// limit for anything, systemd.resource-control(5).
var asking = map[string]sd.Property{
	"cpu":    property("CPUWeight", uint64(100)),
	"cpuset": property("AllowedCPUs", []byte{1}), // the first CPU is there on any host
	"io":     property("IOAccounting", true),
	"pids":   property("TasksAccounting", true),
}

// HandDown starts a slice that asks for a controller ("cpu", "cpuset", "io" or "pids"), so
// that the manager hands it on to all units of the slice that the name says; it
// changes no unit. One that is there already is fine.
func HandDown(name, controller string) error {
	p, ok := asking[controller]
	if !ok {
		return fmt.Errorf("start %s: no unit asks for controller %q", name, controller)
	}
	return start(name, "Firedrill: keeps the controller "+controller+" for services", p)
}

// Stop stops a unit; one that is not there is no error.
func Stop(name string) error {
	return ask("stop", name, func(ctx context.Context, c *sd.Conn, done chan<- string) (int, error) {
		return c.StopUnitContext(ctx, name, "replace", done)
	}, "org.freedesktop.systemd1.NoSuchUnit")
}

func property(name string, value any) sd.Property {
	return sd.Property{Name: name, Value: dbus.MakeVariant(value)}
}

func start(name, description string, properties ...sd.Property) error {
	return ask("start", name, func(ctx context.Context, c *sd.Conn, done chan<- string) (int, error) {
		return c.StartTransientUnitContext(ctx, name, "fail", append(properties, sd.PropDescription(description)), done)
	}, "org.freedesktop.systemd1.UnitExists")
}

// ask has the manager do one job and waits for its end. The error called fine
// means that nothing is to be done.
func ask(verb, name string, call func(context.Context, *sd.Conn, chan<- string) (int, error), fine string) error {
	err := with(verb+" unit "+name, func(ctx context.Context, m *Manager) error {
		return m.job(ctx, verb, name, func(done chan<- string) (int, error) { return call(ctx, m.c, done) })
	})
	var said dbus.Error
	if errors.As(err, &said) && said.Name == fine {
		return nil
	}
	return err
}

// Reload has the manager read all unit files anew.
func Reload() error {
	return with("reload units", func(ctx context.Context, m *Manager) error { return m.Reload(ctx) })
}

// Up says whether a unit runs or is on its way up; one that waits to be started
// again after it failed is not.
func Up(name string) (up bool, err error) {
	err = with("ask for the state of "+name, func(ctx context.Context, m *Manager) error {
		u, err := m.Unit(ctx, name)
		up = u.Running() || u.Active == "activating" && u.Sub != "auto-restart"
		return err
	})
	return up, err
}

// Restart has the manager start a unit anew, also one that failed too often, and
// does not wait until it is up.
func Restart(name string) error {
	return with("start unit "+name, func(ctx context.Context, m *Manager) error {
		_ = m.ResetFailed(ctx, name) // one that is not loaded has not failed
		if _, err := m.c.RestartUnitContext(ctx, name, "replace", nil); err != nil {
			return fmt.Errorf("start unit %s: %w", name, meaning(err))
		}
		return nil
	})
}

// with dials the manager for one errand, and says what for if that fails.
func with(what string, do func(context.Context, *Manager) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	m, err := Open(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer m.Close()
	return do(ctx, m)
}
