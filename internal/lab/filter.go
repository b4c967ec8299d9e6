package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// field is an address field of a packet.
type field struct{ v4, v6 int32 } // bytes from the start of the network header

var (
	source      = field{12, 8}
	destination = field{16, 24}
)

// The order of the filters of one class. One priority is for one protocol.
const (
	priorityNeighbour = iota + 1
	priority4
	priority6
	priorityAll4
	priorityAll6
)

// lead leads the packets that have one of the addresses in one of the fields
// from the filters of one class into another class.
func (d *device) lead(from, into uint32, addresses []string, fields ...field) error {
	for _, text := range addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("add filter: %w", err)
		}
		for _, f := range fields {
			protocol, priority, at := uint16(unix.ETH_P_IP), uint16(priority4), f.v4
			if addr.Is6() {
				protocol, priority, at = unix.ETH_P_IPV6, priority6, f.v6
			}
			if err := d.filter(from, into, protocol, priority, words(addr.AsSlice(), at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// words are the keys that match b at an offset.
func words(b []byte, at int32) (keys []nl.TcU32Key) {
	for i := 0; i < len(b); i += 4 {
		keys = append(keys, nl.TcU32Key{Mask: 0xffffffff, Val: binary.BigEndian.Uint32(b[i:]), Off: at + int32(i)})
	}
	return keys
}

// leadAll leads all packets of IPv4 and IPv6 that no other filter took.
func (d *device) leadAll(from, into uint32) error {
	everything := []nl.TcU32Key{{}}
	return errors.Join(
		d.filter(from, into, unix.ETH_P_IP, priorityAll4, everything),
		d.filter(from, into, unix.ETH_P_IPV6, priorityAll6, everything),
	)
}

// passNeighbours leads what IPv6 has for ARP past all classes: neighbour
// solicitations and advertisements, ICMPv6 types 135 and 136.
func (d *device) passNeighbours() error {
	for _, kind := range []uint32{135, 136} {
		keys := []nl.TcU32Key{
			{Mask: 0x0000ff00, Val: unix.IPPROTO_ICMPV6 << 8, Off: 4}, // next header
			{Mask: 0xff000000, Val: kind << 24, Off: 40},
		}
		if err := d.filter(root, root, unix.ETH_P_IPV6, priorityNeighbour, keys); err != nil {
			return err
		}
	}
	return nil
}

func (d *device) filter(from, into uint32, protocol, priority uint16, keys []nl.TcU32Key) error {
	err := netlink.FilterAdd(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: d.link.Attrs().Index, Parent: from, Priority: priority, Protocol: protocol},
		ClassId:     into,
		Sel:         &nl.TcU32Sel{Flags: nl.TC_U32_TERMINAL, Keys: keys},
	})
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("the kernel has no cls_u32 (%w): load it, or leave rate: out of the lab file", err)
	}
	if err != nil {
		return fmt.Errorf("add filter: %w", err)
	}
	return nil
}
