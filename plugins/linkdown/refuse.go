package linkdown

import (
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
)

// refuse refuses a device whose way back is not in our hands, and one through
// which the operator comes.
func refuse(t fault.Target, link netlink.Link) error {
	name, index := link.Attrs().Name, link.Attrs().Index
	all, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list devices: %w", err)
	}
	if other := carried(index, all); other != nil {
		return fault.Refuse("device", "%s carries %s, a %s, which would go down with it; name that one", name, other.Attrs().Name, other.Type())
	}
	if id, err := nexthopOf(index); err != nil || id != 0 {
		if err == nil {
			err = fault.Refuse("device", "%s has the nexthop object %d (`ip nexthop`), which the kernel throws away with all routes that use it; name another device", name, id)
		}
		return err
	}
	operators, err := network.Logins()
	if err != nil {
		return err
	}
	for _, peer := range append(operators, t.Exempt...) {
		routes, err := netlink.RouteGet(peer.Addr().Unmap().WithZone("").AsSlice())
		if err != nil {
			continue // no way there through any device
		}
		for _, r := range routes {
			// A packet to a bridge or bond leaves through one of its members.
			if r.LinkIndex == index || link.Attrs().MasterIndex != 0 && r.LinkIndex == link.Attrs().MasterIndex {
				return fault.Refuse("device", "%s carries the way to %s, a control connection or a login through sshd: the host could not be reached any more; name another device, or cut peers off with partition, which spares them", name, peer)
			}
		}
	}
	return nil
}

// carried returns a device that lies on the one of this index, nil if there is none.
func carried(index int, all []netlink.Link) netlink.Link {
	for _, other := range all {
		// A veth's parent is the other end of its cable; one of another namespace has another's index.
		if a := other.Attrs(); a.ParentIndex == index && a.NetNsID < 0 && other.Type() != "veth" && a.Index != index {
			return other
		}
	}
	return nil
}

// Attributes of RTM_GETNEXTHOP, include/uapi/linux/nexthop.h.
const (
	nexthopHeader = 8
	nexthopID     = 1
	nexthopDevice = 5
)

// nexthopOf returns the id of a nexthop object on the device, 0 if it has none.
func nexthopOf(index int) (id uint32, err error) {
	messages, err := dump(unix.RTM_GETNEXTHOP, unix.RTM_NEWNEXTHOP, make([]byte, nexthopHeader))
	if err != nil {
		if strings.Contains(err.Error(), unix.EOPNOTSUPP.Error()) {
			err = nil // a kernel before 5.3
		}
		return 0, err
	}
	for _, m := range messages {
		if v := m.number(nexthopHeader, nexthopDevice); v == uint32(index) {
			return m.number(nexthopHeader, nexthopID), nil
		}
	}
	return 0, nil
}
