// Package linkdown sets a network device down, as when its cable is pulled or
// somebody types the wrong command: programs get errors at once, which is what
// tells it from a partition.
//
// The kernel throws things away with a device that goes down: its routes in all
// tables, its IPv6 addresses, and its permanent neighbours and proxies. They are
// in the record, as the kernel's own messages (rtnetlink(7)), and come back with
// the device. Not recorded is what the kernel or a router makes anew: temporary
// IPv6 addresses, neighbours that were learned. Daemons that watch devices, DHCP
// clients among them, notice and act on their own.
package linkdown

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
)

// Kind is the name of this fault.
const Kind fault.Kind = "linkdown"

func init() { fault.Register(Kind, fault.NewDriver(Plugin{})) }

// Params is what an experiment file may set.
type Params struct {
	Device string `json:"device" jsonschema:"minLength=1,example=eth1,description=Network device that is set down"`
	container.Named
}

// Change is the change record.
type Change struct {
	Version int    `json:"version"`
	Owner   string `json:"owner"`
	network.Place
	Index  int    `json:"index"`
	Device string `json:"device"`
	// Alias is the device's alias (ip-link(8)) as it was found: while the fault is
	// there, the alias says whose it is.
	Alias string `json:"alias"`
	Saved Saved  `json:"saved"`
}

// changeVersion is the version of Change this package writes.
const changeVersion = 1

// What the alias says: that we are about to set the device down, that we did, and
// that we are on the way back. So a Revert knows whether it was us or somebody
// else who set the device up.
func (c Change) lowering() string { return c.down() + " applying" }
func (c Change) down() string     { return "firedrill linkdown " + c.Owner }
func (c Change) rising() string   { return c.down() + " reverting" }

// Plugin is the fault. The zero value is ready.
type Plugin struct {
	// noEffect is a switch of tests: the device stays up.
	noEffect bool
}

var _ fault.Plugin[Params, Change] = Plugin{}

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          Kind,
		Summary:       "Sets a network device down; its routes, addresses and permanent neighbours come back with it.",
		PluginVersion: "1.0.0",
		Touches:       []string{"link", "address", "route", "neighbour"},
		ConflictKeys:  []string{"link-state"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysConnections,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, t fault.Target, p Params) (c Change, err error) {
	c = Change{Version: changeVersion, Owner: rand.Text(), Device: p.Device}
	var ns *netns.NS
	if c.Place, ns, err = network.Find(t, p.Container); err != nil {
		return c, err
	}
	defer ns.Close()
	if p.Container != "" && c.Container == nil {
		return c, fault.Refuse("container", "has the network of the host itself; leave container out to set down a device of the host")
	}
	err = ns.Do(func() error {
		link, err := netlink.LinkByName(p.Device)
		var missing netlink.LinkNotFoundError
		switch {
		case errors.As(err, &missing):
			return fault.Refuse("device", "there is no device %q on this host; name one of them (`ip link`)", p.Device)
		case err != nil:
			return fmt.Errorf("find device %s: %w", p.Device, err)
		case link.Attrs().RawFlags&unix.IFF_LOOPBACK != 0:
			return fault.Refuse("device", "%s is the loopback, through which the host talks to itself; name another device", p.Device)
		case !isUp(link):
			return fault.Refuse("device", "%s is down already; name one that is up", p.Device)
		}
		c.Index, c.Alias = link.Attrs().Index, link.Attrs().Alias
		if err := refuse(t, link); err != nil {
			return err
		}
		c.Saved, err = save(c.Index)
		return err
	})
	return c, err
}

// Apply implements fault.Plugin.
func (l Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	if err := c.Check(); err != nil {
		return err
	}
	return c.Do(t, func() error {
		link, err := c.find()
		if err != nil {
			return err
		}
		switch alias := link.Attrs().Alias; {
		case (alias == c.down() || alias == c.lowering()) && !isUp(link):
			return nil // again, or a renewal
		case alias != c.lowering() && alias != c.Alias:
			return fmt.Errorf("%w: the alias of %s is %q, it was %q", fault.ErrChanged, c.Device, alias, c.Alias)
		case !isUp(link):
			return fmt.Errorf("%w: %s is down, it was up", fault.ErrChanged, c.Device)
		}
		if err := refuse(t, link); err != nil {
			return err
		}
		now, err := save(c.Index)
		if err != nil {
			return err
		}
		if what := c.Saved.differs(now); what != "" {
			return fmt.Errorf("%w: %s of %s are others", fault.ErrChanged, what, c.Device)
		}
		return l.lower(c, link)
	})
}

func (l Plugin) lower(c Change, link netlink.Link) error {
	if err := netlink.LinkSetAlias(link, c.lowering()); err != nil {
		return fmt.Errorf("mark %s: %w", c.Device, err)
	}
	if l.noEffect {
		return nil
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return fmt.Errorf("set %s down: %w", c.Device, err)
	}
	if err := netlink.LinkSetAlias(link, c.down()); err != nil {
		return fmt.Errorf("mark %s: %w", c.Device, err)
	}
	return nil
}

// Revert implements fault.Plugin. If somebody else set the device up meanwhile,
// it stays as they want it, what went with it comes back all the same, and the
// answer is fault.ErrStuck.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	err := c.Do(t, func() error {
		link, err := c.find()
		if err != nil {
			return err
		}
		alias, raised := link.Attrs().Alias, false
		switch {
		case alias == c.Alias:
			return nil // never applied, or reverted before
		case alias == c.down():
			raised = isUp(link)
		case alias != c.lowering() && alias != c.rising():
			return fmt.Errorf("%w: the alias of %s, our mark, is %q now; if the device is down, set it up by hand", fault.ErrStuck, c.Device, alias)
		}
		if !raised {
			if err := netlink.LinkSetAlias(link, c.rising()); err != nil {
				return fmt.Errorf("mark %s: %w", c.Device, err)
			}
			if err := netlink.LinkSetUp(link); err != nil {
				return fmt.Errorf("set %s up: %w", c.Device, err)
			}
		}
		if err := c.Saved.restore(c.Index); err != nil {
			return fmt.Errorf("put back what %s lost: %w", c.Device, err)
		}
		if err := netlink.LinkSetAlias(link, c.Alias); err != nil {
			return fmt.Errorf("put back the alias of %s: %w", c.Device, err)
		}
		if raised {
			return fmt.Errorf("%w: somebody set %s up", fault.ErrStuck, c.Device)
		}
		return nil
	})
	if err == nil {
		err = c.Check()
	}
	return err
}

// find returns the device of the record; fault.ErrGone if it is another one now.
func (c Change) find() (netlink.Link, error) {
	link, err := netlink.LinkByIndex(c.Index)
	var missing netlink.LinkNotFoundError
	switch {
	case errors.As(err, &missing):
		return nil, fmt.Errorf("%w: no device %d", fault.ErrGone, c.Index)
	case err != nil:
		return nil, fmt.Errorf("find device %s: %w", c.Device, err)
	case link.Attrs().Name != c.Device:
		return nil, fmt.Errorf("%w: device %d is %s now, it was %s", fault.ErrGone, c.Index, link.Attrs().Name, c.Device)
	}
	return link, nil
}

func isUp(link netlink.Link) bool { return link.Attrs().RawFlags&unix.IFF_UP != 0 }
