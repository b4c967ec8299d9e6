// Package mtu is the fault that shrinks the packets a network device takes. It
// is the worked example of docs/writing-a-fault.md, and no built-in fault.
package mtu

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Params is what an experiment file may set.
type Params struct {
	MTU    int    `json:"mtu" jsonschema:"minimum=1280,maximum=65535,description=Largest packet in bytes"`
	Device string `json:"device,omitempty" jsonschema:"default=eth0,description=Network device"`
}

// Change is the change record: which device, its value before and its value then.
type Change struct {
	Index  int    `json:"index"`
	Device string `json:"device"`
	Before int    `json:"before"`
	After  int    `json:"after"`
}

// Plugin is the fault. The zero value is ready.
type Plugin struct{}

var _ fault.Plugin[Params, Change] = Plugin{}

func init() { fault.Register("mtu", fault.NewDriver(Plugin{})) }

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind:          "mtu",
		Summary:       "makes a network device take small packets only",
		PluginVersion: "1",
		Touches:       []string{"link"},
		ConflictKeys:  []string{"mtu"},
		Needs:         fault.Needs{Capabilities: []string{"CAP_NET_ADMIN"}},
		Protection:    []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:      fault.DestroysNothing,
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	if p.Device == "" {
		p.Device = "eth0"
	}
	link, err := netlink.LinkByName(p.Device)
	if err != nil {
		return Change{}, fault.Refuse("device", "%q: %v; name a device of this host", p.Device, err)
	}
	before := link.Attrs().MTU
	switch {
	case p.MTU < 1280:
		return Change{}, fault.Refuse("mtu", "is %d: below 1280 the kernel throws the device's IPv6 addresses away, and no revert brings them back", p.MTU)
	case p.MTU >= before:
		return Change{}, fault.Refuse("mtu", "is %d, and the device takes no more than %d already; give less", p.MTU, before)
	}
	return Change{Index: link.Attrs().Index, Device: p.Device, Before: before, After: p.MTU}, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(ctx context.Context, _ fault.Target, c Change, _, _ fault.BootTime) error {
	link, err := c.find()
	if err != nil {
		return err
	}
	switch now := link.Attrs().MTU; now {
	case c.After:
		return nil // again, or a renewal
	case c.Before:
		fault.Logger(ctx).Info("shrinking", "device", c.Device, "from", c.Before, "to", c.After)
		return netlink.LinkSetMTU(link, c.After)
	default:
		return fmt.Errorf("%w: the MTU of %s is %d, it was %d", fault.ErrChanged, c.Device, now, c.Before)
	}
}

// Observe implements fault.Plugin.
func (Plugin) Observe(_ context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	link, err := c.find()
	switch {
	case errors.Is(err, fault.ErrGone):
		return fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Detail: err.Error()}, nil
	case err != nil:
		return fault.Observation{}, err // not known is not absent
	}
	now := link.Attrs().MTU
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: bytes(c.After), Achieved: bytes(now)}
	if now == c.After {
		o.State, o.Dose = fault.Present, fault.InForce
	}
	return o, nil
}

func bytes(n int) []fault.Measure {
	return []fault.Measure{{Name: "mtu", Value: float64(n), Unit: "bytes"}}
}

// Revert implements fault.Plugin.
func (Plugin) Revert(_ context.Context, _ fault.Target, c Change) error {
	link, err := c.find()
	if err != nil {
		return err
	}
	switch now := link.Attrs().MTU; now {
	case c.Before:
		return nil // never applied, or reverted before
	case c.After:
		return netlink.LinkSetMTU(link, c.Before)
	default:
		return fmt.Errorf("%w: the MTU of %s is %d now", fault.ErrStuck, c.Device, now)
	}
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
