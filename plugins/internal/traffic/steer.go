package traffic

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// Way is a pair of devices of ours (veth(4)) that packets of one direction are
// steered over: a queue waits on the near end, and the far end puts the packets
// back where they were taken from. The user's own queueing disciplines stay as
// they are and see the packets afterwards.
//
// On the way a packet loses its priority (SO_PRIORITY, socket(7)) and its
// departure time, not its mark.
type Way struct {
	Direction uint32 `json:"direction"` // bpf.In or bpf.Out
	Near      string `json:"near"`
	Far       string `json:"far"`
}

// wayPrefix begins the names of our devices; of the 15 characters a name may have
// it leaves four to tell them apart, and two for direction and end.
const wayPrefix = "firedrill"

func isWay(l netlink.Link) bool {
	return l.Type() == "veth" && strings.HasPrefix(l.Attrs().Name, wayPrefix)
}

// address is that of our devices: locally administered, and of the injection, as
// proof whose they are. It is one of the few things a device has from its first
// moment on; an alias is not.
func (c Change) address() net.HardwareAddr {
	b := binary.LittleEndian.AppendUint64(nil, c.Owner)
	return append(net.HardwareAddr{0x02}, b[1:6]...)
}

// near finds the near end of w; nil if there is none, or somebody else's.
func (c Change) near(h *netlink.Handle, w Way) (netlink.Link, error) {
	l, err := h.LinkByName(w.Near)
	var absent netlink.LinkNotFoundError
	if errors.As(err, &absent) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", w.Near, err)
	}
	if !isWay(l) || !bytes.Equal(l.Attrs().HardwareAddr, c.address()) {
		return nil, nil
	}
	return l, nil
}

// planWays names the pairs that c needs.
func planWays(h *netlink.Handle, c *Change) error {
	if c.Action.Does != bpf.Steer {
		return nil
	}
	for n := range c.Devices {
		d := &c.Devices[n]
		link, err := linkOf(h, *d)
		if err != nil {
			return err
		}
		if kind := link.Attrs().EncapType; kind != "ether" {
			return fault.Refuse("devices", "%s carries no Ethernet frames (%s): packets can't be led over a queue and back; leave this device out", d.Name, kind)
		}
		for direction, letter := range map[uint32]string{bpf.In: "i", bpf.Out: "o"} {
			if c.Rule.Direction&direction != 0 {
				name := wayPrefix + four(c.Owner>>16+uint64(n)) + letter
				w := Way{Direction: direction, Near: name + "n", Far: name + "f"}
				if _, err := h.LinkByName(w.Near); err == nil {
					return fmt.Errorf("name a device %s: there is one already; try again: %w", w.Near, fault.ErrChanged)
				}
				d.Ways = append(d.Ways, w)
			}
		}
	}
	return nil
}

// four is n in four of the digits of base 36.
func four(n uint64) string {
	const all = 36 * 36 * 36 * 36
	return strconv.FormatUint(all+n%all, 36)[1:]
}

// index is where a way stands in a rule.
func (w Way) index() int { return int(w.Direction >> 1) } // In 1, Out 2

// Queue puts the queue of a fault on the near end of a pair.
type Queue func(h *netlink.Handle, near netlink.Link) error

// makeWays makes the pairs of d, whose packets go on with the slot after this
// one. What a killed Apply left of them is made anew.
func (c Change) makeWays(h *netlink.Handle, link netlink.Link, d Device, slot uint32, lay Queue) (at [2]uint32, err error) {
	if err := c.dropWays(h, d); err != nil {
		return at, err
	}
	for _, w := range d.Ways {
		near, err := c.makeWay(h, link, w, slot, lay)
		if err != nil {
			return at, fmt.Errorf("make way for packets of %s: %w", d.Name, err)
		}
		at[w.index()] = uint32(near.Attrs().Index)
	}
	return at, nil
}

func (c Change) makeWay(h *netlink.Handle, link netlink.Link, w Way, slot uint32, lay Queue) (netlink.Link, error) {
	mtu := link.Attrs().MTU
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: w.Near, MTU: mtu, HardwareAddr: c.address()}, PeerName: w.Far, PeerMTU: uint32(mtu)}
	if err := h.LinkAdd(pair); err != nil {
		return nil, fmt.Errorf("add %s: %w", w.Near, err)
	}
	near, err := h.LinkByName(w.Near)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", w.Near, err)
	}
	far, err := h.LinkByName(w.Far)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", w.Far, err)
	}
	if err := c.attachBack(h, link, near, far, w, slot); err != nil {
		return nil, err
	}
	if err := lay(h, near); err != nil {
		return nil, err
	}
	for _, l := range []netlink.Link{far, near} {
		if err := rouse(h, l); err != nil {
			return nil, err
		}
	}
	return near, nil
}

// rouse brings a device up that shall say nothing itself.
func rouse(h *netlink.Handle, l netlink.Link) error {
	name := l.Attrs().Name
	// A kernel without IPv6 has nothing to switch off.
	if err := h.LinkSetIP6AddrGenMode(l, nl.IN6_ADDR_GEN_MODE_NONE); err != nil && !errors.Is(err, unix.EAFNOSUPPORT) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("keep %s from IPv6: %w", name, err)
	}
	if err := h.LinkSetARPOff(l); err != nil {
		return fmt.Errorf("keep %s from ARP: %w", name, err)
	}
	if err := h.LinkSetUp(l); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

// attachBack puts the program of the way back onto the far end, where packets
// arrive that the queue let go. A relay takes them there, and what it gives back
// arrives at the near end: then the program is there, and the far end's lets
// nothing through.
func (c Change) attachBack(h *netlink.Handle, link, near, far netlink.Link, w Way, slot uint32) error {
	to := bpf.BackWay{Device: uint32(link.Attrs().Index), Resume: slot + 1}
	if w.Direction == bpf.In {
		to.Flags = unix.BPF_F_INGRESS
	}
	if !c.Action.Relay {
		return attachTo(h, far, near, to)
	}
	return errors.Join(attachTo(h, near, far, to), attachTo(h, far, near, bpf.BackWay{}))
}

// attachTo puts the program onto one end; what the other end sends itself is
// not let through.
func attachTo(h *netlink.Handle, end, other netlink.Link, to bpf.BackWay) error {
	var o bpf.BackObjects
	if err := bpf.LoadBackObjects(&o, nil); err != nil {
		return fmt.Errorf("load BPF program of the way back: %w", err)
	}
	defer o.Close()
	for n := range 3 {
		to.Near[n] = binary.NativeEndian.Uint16(other.Attrs().HardwareAddr[2*n:])
	}
	name := end.Attrs().Name
	if err := o.FdWay.Put(uint32(0), to); err != nil {
		return fmt.Errorf("set where %s leads: %w", name, err)
	}
	if err := h.QdiscAdd(Clsact(end)); err != nil {
		return fmt.Errorf("add clsact to %s: %w", name, err)
	}
	f := filter(end, netlink.HANDLE_MIN_INGRESS)
	f.Fd = o.FdBack.FD()
	if err := h.FilterAdd(f); err != nil {
		return fmt.Errorf("attach program to %s: %w", name, err)
	}
	return nil
}

// findWays reads the indices of the pairs of d, all of which must be there.
func (c Change) findWays(h *netlink.Handle, d Device) (at [2]uint32, err error) {
	for _, w := range d.Ways {
		near, err := c.near(h, w)
		if err == nil && near == nil {
			err = fmt.Errorf("somebody took %s away, over which packets of %s are led: %w", w.Near, d.Name, fault.ErrChanged)
		}
		if err != nil {
			return at, err
		}
		at[w.index()] = uint32(near.Attrs().Index)
	}
	return at, nil
}

// dropWays takes the pairs of d away, and with them what waits in their queues.
func (c Change) dropWays(h *netlink.Handle, d Device) error {
	var errs []error
	for _, w := range d.Ways {
		near, err := c.near(h, w)
		if err == nil && near != nil {
			err = h.LinkDel(near)
		}
		if err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("delete %s: %w", w.Near, err))
		}
	}
	return errors.Join(errs...)
}

// anyWay says whether a pair of d is there, as after an Apply that was killed.
func (c Change) anyWay(h *netlink.Handle, d Device) bool {
	for _, w := range d.Ways {
		if near, err := c.near(h, w); err == nil && near != nil {
			return true
		}
	}
	return false
}

// Nears calls each with the near ends of all pairs of c that are there, and says
// how many there should be.
func (s *Space) Nears(c Change, each func(Way, netlink.Link) error) (planned int, err error) {
	for _, d := range c.Devices {
		for _, w := range d.Ways {
			planned++
			near, err := c.near(s.Link, w)
			if err == nil && near != nil {
				err = each(w, near)
			}
			if err != nil {
				return planned, err
			}
		}
	}
	return planned, nil
}

// back reads what came back over the pair.
func (c Change) back(h *netlink.Handle, w Way) (way bpf.BackWay, err error) {
	name := w.Far
	if c.Action.Relay {
		name = w.Near
	}
	end, err := h.LinkByName(name)
	if err != nil {
		return way, fmt.Errorf("find %s: %w", name, err)
	}
	f, err := ourFilter(h, end, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return way, err
	}
	if f == nil {
		return way, fmt.Errorf("the program of %s is gone: %w", name, fault.ErrChanged)
	}
	maps, err := mapsOf(ebpf.ProgramID(f.Id))
	if err != nil {
		return way, err
	}
	t := &table{maps: maps}
	defer t.Close()
	m := maps[bpf.BackMapFdWay]
	if m == nil {
		return way, fmt.Errorf("the program of %s is not ours: %w", name, fault.ErrChanged)
	}
	if err := m.Lookup(uint32(0), &way); err != nil {
		return way, fmt.Errorf("read counters of %s: %w", name, err)
	}
	return way, nil
}
