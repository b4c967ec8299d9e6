// Package systemd asks the service manager for units that live until the next
// boot at most. It speaks to it directly, so that no message bus is needed, and
// only as root.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
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

// HandDown starts a slice beside the services that asks for a controller ("cpu"),
// so that the manager hands it on to all units of Slice; it changes no unit.
// One that is there already is fine.
func HandDown(name, controller string) error {
	if controller != "cpu" {
		return fmt.Errorf("start %s: no unit asks for controller %q", name, controller)
	}
	return start(name, "Firedrill: keeps the controller "+controller+" for services", property("CPUWeight", uint64(100)))
}

// Stop stops a unit; one that is not there is no error.
func Stop(name string) error {
	return ask("stop", name, func(ctx context.Context, c *sd.Conn, done chan<- string) error {
		_, err := c.StopUnitContext(ctx, name, "replace", done)
		return err
	}, "org.freedesktop.systemd1.NoSuchUnit")
}

func property(name string, value any) sd.Property {
	return sd.Property{Name: name, Value: dbus.MakeVariant(value)}
}

func start(name, description string, properties ...sd.Property) error {
	return ask("start", name, func(ctx context.Context, c *sd.Conn, done chan<- string) error {
		_, err := c.StartTransientUnitContext(ctx, name, "fail", append(properties, sd.PropDescription(description)), done)
		return err
	}, "org.freedesktop.systemd1.UnitExists")
}

// ask has the manager do one job and waits for its end. The error called fine
// means that nothing is to be done.
func ask(verb, name string, call func(context.Context, *sd.Conn, chan<- string) error, fine string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := sd.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("%s unit %s: dial systemd: %w", verb, name, err)
	}
	defer c.Close()
	done := make(chan string, 1)
	err = call(ctx, c, done)
	var said dbus.Error
	if errors.As(err, &said) && said.Name == fine {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s unit %s: %w", verb, name, err)
	}
	select {
	case result := <-done:
		if !strings.EqualFold(result, "done") {
			return fmt.Errorf("%s unit %s: systemd says %s; see systemctl status", verb, name, result)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s unit %s: systemd does not end the job: %w", verb, name, ctx.Err())
	}
}

// Reload has the manager read all unit files anew.
func Reload() error {
	return talk("reload units", func(ctx context.Context, c *sd.Conn) error { return c.ReloadContext(ctx) })
}

// Up says whether a unit runs or is on its way up; one that waits to be started
// again after it failed is not.
func Up(name string) (up bool, err error) {
	err = talk("ask for the state of "+name, func(ctx context.Context, c *sd.Conn) error {
		p, err := c.GetUnitPropertiesContext(ctx, name)
		if err == nil {
			up = p["ActiveState"] == "active" || p["ActiveState"] == "reloading" || p["ActiveState"] == "activating" && p["SubState"] != "auto-restart"
		}
		return err
	})
	return up, err
}

// Restart has the manager start a unit anew, also one that failed too often, and
// does not wait until it is up.
func Restart(name string) error {
	return talk("start unit "+name, func(ctx context.Context, c *sd.Conn) error {
		_ = c.ResetFailedUnitContext(ctx, name) // one that is not loaded has not failed
		_, err := c.RestartUnitContext(ctx, name, "replace", nil)
		return err
	})
}

// talk dials the manager for one call.
func talk(what string, call func(context.Context, *sd.Conn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c, err := sd.NewSystemdConnectionContext(ctx)
	if err != nil {
		return fmt.Errorf("%s: dial systemd: %w", what, err)
	}
	defer c.Close()
	if err := call(ctx, c); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
