package traffic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"

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

// wayName is of our devices: owner, number of the device in the record, direction, end.
var wayName = regexp.MustCompile(`^fd[0-9a-f]{11}[io][nf]$`)

// wayAlias tells who looks at `ip link` whose they are.
const wayAlias = "firedrill"

func isWay(l netlink.Link) bool { return l.Type() == "veth" && wayName.MatchString(l.Attrs().Name) }

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
				name := fmt.Sprintf("fd%08x%03x%s", uint32(c.Owner>>32), n&0xfff, letter)
				d.Ways = append(d.Ways, Way{Direction: direction, Near: name + "n", Far: name + "f"})
			}
		}
	}
	return nil
}

// index is where a way stands in a rule.
func (w Way) index() int { return int(w.Direction >> 1) } // In 1, Out 2

// makeWays makes the pairs of d, whose packets go on with the slot after this
// one. What a killed Apply left of them is made anew.
func (i *Injector) makeWays(h *netlink.Handle, link netlink.Link, d Device, slot uint32) (at [2]uint32, err error) {
	if err := dropWays(h, d); err != nil {
		return at, err
	}
	for _, w := range d.Ways {
		near, err := i.makeWay(h, link, w, slot)
		if err != nil {
			return at, fmt.Errorf("make way for packets of %s: %w", d.Name, err)
		}
		at[w.index()] = uint32(near.Attrs().Index)
	}
	return at, nil
}

func (i *Injector) makeWay(h *netlink.Handle, link netlink.Link, w Way, slot uint32) (netlink.Link, error) {
	mtu := link.Attrs().MTU
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: w.Near, MTU: mtu, Alias: wayAlias}, PeerName: w.Far, PeerMTU: uint32(mtu)}
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
	if err := attachBack(h, link, near, far, w, slot); err != nil {
		return nil, err
	}
	if i.Queue != nil {
		if err := i.Queue(h, near); err != nil {
			return nil, err
		}
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

// attachBack puts the program of the way back onto the far end.
func attachBack(h *netlink.Handle, link, near, far netlink.Link, w Way, slot uint32) error {
	var o bpf.BackObjects
	if err := bpf.LoadBackObjects(&o, nil); err != nil {
		return fmt.Errorf("load BPF program of the way back: %w", err)
	}
	defer o.Close()
	to := bpf.BackWay{Device: uint32(link.Attrs().Index), Resume: slot + 1}
	for n := range 3 {
		to.Near[n] = binary.NativeEndian.Uint16(near.Attrs().HardwareAddr[2*n:])
	}
	if w.Direction == bpf.In {
		to.Flags = unix.BPF_F_INGRESS
	}
	if err := o.FdWay.Put(uint32(0), to); err != nil {
		return fmt.Errorf("set where %s leads: %w", w.Far, err)
	}
	if err := h.QdiscAdd(Clsact(far)); err != nil {
		return fmt.Errorf("add clsact to %s: %w", w.Far, err)
	}
	f := filter(far, netlink.HANDLE_MIN_INGRESS)
	f.Fd = o.FdBack.FD()
	if err := h.FilterAdd(f); err != nil {
		return fmt.Errorf("attach program to %s: %w", w.Far, err)
	}
	return nil
}

// findWays reads the indices of the pairs of d, all of which must be there.
func findWays(h *netlink.Handle, d Device) (at [2]uint32, err error) {
	for _, w := range d.Ways {
		near, err := h.LinkByName(w.Near)
		if err != nil || !isWay(near) {
			return at, fmt.Errorf("somebody took %s away, over which packets of %s are led: %w", w.Near, d.Name, fault.ErrChanged)
		}
		at[w.index()] = uint32(near.Attrs().Index)
	}
	return at, nil
}

// dropWays takes the pairs of d away, and with them what waits in their queues.
func dropWays(h *netlink.Handle, d Device) error {
	var errs []error
	for _, w := range d.Ways {
		near, err := h.LinkByName(w.Near)
		var absent netlink.LinkNotFoundError
		if errors.As(err, &absent) || err == nil && !isWay(near) {
			continue
		}
		if err == nil {
			err = h.LinkDel(near)
		}
		if err != nil && !errors.Is(err, unix.ENODEV) {
			errs = append(errs, fmt.Errorf("delete %s: %w", w.Near, err))
		}
	}
	return errors.Join(errs...)
}

// back reads what came back over the pair.
func back(h *netlink.Handle, w Way) (way bpf.BackWay, err error) {
	far, err := h.LinkByName(w.Far)
	if err != nil {
		return way, fmt.Errorf("find %s: %w", w.Far, err)
	}
	f, err := ourFilter(h, far, netlink.HANDLE_MIN_INGRESS)
	if err != nil || f == nil {
		return way, errors.Join(err, fmt.Errorf("the program of %s is gone", w.Far))
	}
	maps, err := mapsOf(ebpf.ProgramID(f.Id))
	if err != nil {
		return way, err
	}
	t := &table{maps: maps}
	defer t.Close()
	m := maps[bpf.BackMapFdWay]
	if m == nil {
		return way, fmt.Errorf("the program of %s is not ours", w.Far)
	}
	if err := m.Lookup(uint32(0), &way); err != nil {
		return way, fmt.Errorf("read counters of %s: %w", w.Far, err)
	}
	return way, nil
}
