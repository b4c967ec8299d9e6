package lab

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// raiseFabric builds the switches in the calling process's network namespace:
// a core, a bridge a site, a bridge a rack, joined by veth cables. Every site
// hangs from the core by one cable, also those with a link of their own in the
// inventory: two ways without spanning tree would be a loop. The links that have
// a rate share that cable, see thin.
func raiseFabric(spec labSpec) error {
	if err := addBridge(coreBridge(spec.ID)); err != nil {
		return err
	}
	for i := range spec.Sites {
		if err := addBridge(siteBridge(spec.ID, i)); err != nil {
			return err
		}
		up, down := upName(spec.ID, "s", i)
		if err := join(coreBridge(spec.ID), up, siteBridge(spec.ID, i), down); err != nil {
			return err
		}
	}
	for i, rack := range spec.Racks {
		if err := addBridge(rackBridge(spec.ID, i)); err != nil {
			return err
		}
		up, down := upName(spec.ID, "r", i)
		if err := join(siteBridge(spec.ID, rack.Site), up, rackBridge(spec.ID, i), down); err != nil {
			return err
		}
	}
	for _, line := range spec.Lines {
		if err := thin(spec.ID, line); err != nil {
			return err
		}
	}
	return nil
}

func addBridge(name string) error {
	off := false
	b := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &off}
	b.Name = name
	if err := netlink.LinkAdd(b); err != nil {
		return fmt.Errorf("add switch %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(b); err != nil {
		return fmt.Errorf("set switch %s up: %w", name, err)
	}
	return nil
}

func join(upper, up, lower, down string) error {
	v := netlink.NewVeth(netlink.NewLinkAttrs())
	v.Name, v.PeerName = up, down
	if err := netlink.LinkAdd(v); err != nil {
		return fmt.Errorf("lay cable %s: %w", up, err)
	}
	return errors.Join(plug(upper, up), plug(lower, down))
}

// plug puts a link into a switch and sets it up.
func plug(bridge, name string) error {
	master, err := netlink.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find switch %s: %w", bridge, err)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find link %s: %w", name, err)
	}
	if err := netlink.LinkSetMaster(link, master); err != nil {
		return fmt.Errorf("plug %s into %s: %w", name, bridge, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// cable lays the cable of a host: one end in its rack's switch, the other as
// eth0 in the namespace of pid. It returns the index of the switch's end.
func cable(id string, h hostSpec, pid int) (int, error) {
	mac, err := net.ParseMAC(h.MAC)
	if err != nil {
		return 0, fmt.Errorf("lay cable of host %s: %w", h.Name, err)
	}
	v := netlink.NewVeth(netlink.NewLinkAttrs())
	v.Name, v.PeerName = vethName(id, h.Number), "eth0"
	v.PeerHardwareAddr, v.PeerNamespace = mac, netlink.NsPid(pid)
	if err := netlink.LinkAdd(v); err != nil {
		return 0, fmt.Errorf("lay cable of host %s: %w", h.Name, err)
	}
	if err := plug(rackBridge(id, h.Rack), v.Name); err != nil {
		return 0, err
	}
	link, err := netlink.LinkByName(v.Name)
	if err != nil {
		return 0, fmt.Errorf("find cable of host %s: %w", h.Name, err)
	}
	return link.Attrs().Index, nil
}

// unplug removes the cable of a host that is left from before. The other end
// goes with it, also out of a namespace that dark sockets keep alive.
func unplug(id string, h hostSpec) error {
	link, err := netlink.LinkByName(vethName(id, h.Number))
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find cable of host %s: %w", h.Name, err)
	}
	// The kernel, which takes down the dead host's namespace, may be faster.
	if err := netlink.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("remove cable of host %s: %w", h.Name, err)
	}
	return nil
}

// plugged says whether the cable of a host is there and up.
func plugged(id string, h hostSpec) bool {
	link, err := netlink.LinkByName(vethName(id, h.Number))
	return err == nil && link.Attrs().Flags&net.FlagUp != 0
}
