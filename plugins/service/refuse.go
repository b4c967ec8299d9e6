package service

import (
	"context"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// field is the parameter that all refusals of a unit name.
const field = "service"

// refuse says why a unit can't be stopped, or could not be given back.
func refuse(ctx context.Context, m *systemd.Manager, asked string, u systemd.Unit) error {
	switch {
	case u.Load == "not-found":
		return unknown(ctx, m, asked)
	case u.Load == "masked":
		return fault.Refuse(field, "%s is masked already, so it does not run and could not be started again; unmask it first", u.Name)
	case u.Load != "loaded":
		return fault.Refuse(field, "systemd could not load %s (%s); see systemctl status %s", u.Name, u.Load, u.Name)
	case u.RefusesStop || u.RefusesStart:
		return fault.Refuse(field, "%s may not be stopped or started by hand (RefuseManualStop=, RefuseManualStart=); name a service that depends on it", u.Name)
	case u.Transient:
		return fault.Refuse(field, "%s is transient: it has no file from which it could be started again; fault kill ends its processes", u.Name)
	case u.Stale:
		return fault.Refuse(field, "the files of %s were changed since systemd read them, so what is started again would be another service; run systemctl daemon-reload first", u.Name)
	case u.Busy || u.Active != "active" && u.Active != "inactive" && u.Active != "failed":
		return fault.Refuse(field, "%s is %s (%s) and just being started or stopped; wait until that is over", u.Name, u.Active, u.Sub)
	}
	if err := spare(u); err != nil {
		return err
	}
	return ofConnection(ctx, m, u)
}

// ofConnection refuses an instance that systemd started for one connection of a
// socket with Accept=yes. After a daemon-reload systemd no longer says so of the
// instance, but the two have one name, systemd.socket(5).
func ofConnection(ctx context.Context, m *systemd.Manager, u systemd.Unit) error {
	name, _, instance := strings.Cut(u.Name, "@")
	if !instance {
		return nil
	}
	socket, err := m.Unit(ctx, name+".socket")
	if err == nil && socket.Accepts {
		err = fault.Refuse(field, "%s is started by %s for one connection, and could not be started again; name another service", u.Name, socket.Name)
	}
	return err
}

// spare refuses what would cut the host, or those who work on it, off.
func spare(u systemd.Unit) error {
	name := u.Name
	switch {
	case strings.HasPrefix(name, "systemd-"), name == "init.scope":
		return fault.Refuse(field, "%s is part of systemd, which has to undo the fault; name a service of your own", name)
	case strings.HasPrefix(name, "dbus.") || strings.HasPrefix(name, "dbus-broker."):
		return fault.Refuse(field, "%s carries the words of all services with systemd; name a service of your own", name)
	case name == "ssh.service", name == "ssh.socket", strings.HasPrefix(name, "sshd"):
		return fault.Refuse(field, "%s lets people in who mend the host; name a service of your own", name)
	case slices.Contains(u.Before, "network.target"):
		// What sets the network up is ordered so, systemd.special(7).
		return fault.Refuse(field, "%s sets up the network (it is ordered before network.target) and would cut the host off; fault linkdown takes a single device down and gives it back", name)
	}
	g, ok, err := group.OfUnit(u.Group)
	if err != nil || !ok {
		return err
	}
	return g.Spared(field)
}

// unknown refuses a name that systemd has no unit for, and lists what is near.
func unknown(ctx context.Context, m *systemd.Manager, asked string) error {
	all, err := m.Services(ctx)
	if err != nil {
		return err
	}
	hint := "systemctl list-units --type=service lists them"
	if found := near(asked, all); len(found) > 0 {
		hint = "near it are " + strings.Join(found, ", ")
	}
	return fault.Refuse(field, "systemd knows no %s; %s", asked, hint)
}

// mostNear is how many names a refusal lists at most.
const mostNear = 5

// near are the names that hold the one asked, or a good part of it.
func near(asked string, all []string) (found []string) {
	stem := strings.ToLower(strings.TrimSuffix(asked, suffix))
	parts := []string{stem}
	if n := len(stem); n > 3 {
		parts = append(parts, stem[:n-1], stem[1:], stem[:n/2+1], stem[n/2-1:])
	}
	for _, part := range parts {
		for _, name := range all {
			if len(found) < mostNear && strings.Contains(strings.ToLower(strings.TrimSuffix(name, suffix)), part) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}
