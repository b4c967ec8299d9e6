package traffic

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
)

// ends lists the host's ends of the sockets that the group of c has open. A packet
// that comes in is known by them: it has no socket yet. Ends that are opened later
// are known from the first packet that is sent through them, or from the next
// renewal.
func (s *Space) ends(c Change) ([]bpf.CutEnd, error) {
	if c.Rule.Group == nil || c.Rule.Direction&bpf.In == 0 {
		return nil, nil
	}
	pids, err := c.Rule.Group.Processes()
	if err != nil {
		return nil, fmt.Errorf("list processes of %s: %w", c.Rule.Group.Path, err)
	}
	held := network.HeldBy(pids)
	var sockets []network.Socket
	err = s.NS.Do(func() (err error) {
		sockets, err = network.Sockets(unix.IPPROTO_TCP, unix.IPPROTO_UDP)
		return err
	})
	if err != nil {
		return nil, err
	}
	sockets = slices.DeleteFunc(sockets, func(k network.Socket) bool { return !held[k.INode] || k.ID.SourcePort == 0 })
	// Those that wait for anybody first: of the others, each sends before long.
	slices.SortStableFunc(sockets, func(a, b network.Socket) int { return cmp.Compare(a.ID.DestinationPort, b.ID.DestinationPort) })
	own, err := s.addresses()
	if err != nil {
		return nil, err
	}
	var out []bpf.CutEnd
	seen := map[bpf.CutEnd]bool{}
	for _, k := range sockets {
		for _, at := range localsOf(k, own) {
			e := bpf.CutEnd{Group: c.Rule.Group.Inode, Port: uint32(k.ID.SourcePort), Protocol: k.Protocol}
			e.Addr.B = at.As16()
			if !seen[e] && len(out) < bpf.Ends/2 {
				seen[e] = true
				out = append(out, e)
			}
		}
	}
	return out, nil
}

// localsOf are the addresses at which a socket takes packets.
func localsOf(k network.Socket, own []netip.Addr) []netip.Addr {
	at, _ := netip.AddrFromSlice(k.ID.Source)
	switch {
	case !at.Unmap().IsUnspecified():
		return []netip.Addr{at}
	case k.Family == unix.AF_INET6:
		return own // IPv4 too, mapped
	}
	return slices.DeleteFunc(slices.Clone(own), netip.Addr.Is6)
}

// addresses are those of the namespace itself.
func (s *Space) addresses() (own []netip.Addr, err error) {
	list, err := s.Link.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			own = append(own, addr.Unmap())
		}
	}
	return own, nil
}

// learn writes into the table of a device which ends are the group's, until the
// rule's own end.
func learn(h *netlink.Handle, d Device, ends []bpf.CutEnd, until fault.BootTime) error {
	if len(ends) == 0 {
		return nil
	}
	link, err := linkOf(h, d)
	if err != nil {
		return err
	}
	t, err := findTable(h, link)
	if err != nil || t == nil {
		return err
	}
	defer t.Close()
	held := uint64(until)
	if until == 0 {
		held = ^uint64(0)
	}
	for _, e := range ends {
		if err := t.maps[bpf.CutMapFdEnds].Put(e, held); err != nil {
			return fmt.Errorf("write ends of sockets on %s: %w", d.Name, err)
		}
	}
	return nil
}
