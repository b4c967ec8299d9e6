package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What a thin link is made of: an HTB with a class for each link, in it a class
// for each reserved share and one for the rest, and in each of these a queue.
// What no filter takes passes by it: what goes to sites that no thin link leads
// to, and the search for neighbours (ARP and IPv6), which a real line between
// sites would not carry.
const (
	// frame is the longest packet on a cable, header included.
	frame = 1514
	// queueTime is how long a packet waits in a full queue, about as in a small
	// router: a line that is full is a slow line first.
	queueTime = 0.25
	// minQueue is in packets: fewer would keep TCP from using the rate.
	minQueue = 10
	// minClass is the least rate of a class, bit/s: what is left of a link that is
	// reserved as a whole must still trickle.
	minClass = 1000
)

// thin makes one end of a site's cable carry no more than its links do.
func thin(id string, line lineSpec) error {
	core, site := upName(id, "s", line.Site)
	name := site
	if line.Into {
		name = core
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find cable %s: %w", name, err)
	}
	d := device{link: link}
	if err := d.htb(); err != nil {
		return fmt.Errorf("thin out %s: %w", line.Lanes[0].Link, err)
	}
	for _, lane := range line.Lanes {
		if err := d.lane(lane); err != nil {
			return fmt.Errorf("thin out %s: %w", lane.Link, err)
		}
	}
	// From here on the length counts for what passes by the links.
	if err := netlink.LinkSetTxQLen(link, link.Attrs().TxQLen); err != nil {
		return fmt.Errorf("set queue of cable %s: %w", name, err)
	}
	return nil
}

// device is an end of a cable while it gets its classes.
type device struct {
	link    netlink.Link
	classes uint16
}

// root is the handle of the HTB; as a class it is the way past all classes.
const root uint32 = 1 << 16

func (d *device) htb() error {
	htb := netlink.NewHtb(netlink.QdiscAttrs{LinkIndex: d.link.Attrs().Index, Handle: root, Parent: netlink.HANDLE_ROOT})
	if err := netlink.QdiscAdd(htb); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("the kernel has no sch_htb (%w): load it, or leave rate: out of the lab file", err)
		}
		return fmt.Errorf("add HTB: %w", err)
	}
	return d.passNeighbours()
}

// lane adds the classes of a link and the filters that lead into them.
func (d *device) lane(lane laneSpec) error {
	parent, err := d.class(root, lane.Rate, lane.Rate)
	if err != nil {
		return err
	}
	if lane.All {
		err = d.leadAll(root, parent)
	} else {
		err = d.lead(root, parent, lane.To, destination)
	}
	if err != nil {
		return err
	}
	rest := lane.Rate
	for _, share := range lane.Reserve {
		rest -= min(rest, share.Rate)
		class, err := d.class(parent, share.Rate, lane.Rate)
		if err != nil {
			return err
		}
		if err := d.lead(parent, class, share.Addresses, destination, source); err != nil {
			return err
		}
	}
	class, err := d.class(parent, rest, lane.Rate)
	if err != nil {
		return err
	}
	return d.leadAll(parent, class)
}

// class adds a class that has rate for sure and ceil at most, both in bit/s.
func (d *device) class(parent uint32, rate, ceil uint64) (uint32, error) {
	d.classes++
	rate = max(rate, minClass)
	ceil = max(rate, ceil)
	// A class without a queue of its own gets one as long as the device's is at
	// this moment.
	if err := netlink.LinkSetTxQLen(d.link, queueLength(ceil)); err != nil {
		return 0, fmt.Errorf("set queue: %w", err)
	}
	handle := root | uint32(d.classes)
	class := netlink.NewHtbClass(
		netlink.ClassAttrs{LinkIndex: d.link.Attrs().Index, Parent: parent, Handle: handle},
		netlink.HtbClassAttrs{Rate: rate, Ceil: ceil, Buffer: burst(rate), Cbuffer: burst(ceil), Quantum: frame},
	)
	if err := netlink.ClassAdd(class); err != nil {
		return 0, fmt.Errorf("add class of %d bit/s: %w", rate, err)
	}
	return handle, nil
}

// queueLength is in packets.
func queueLength(rate uint64) int {
	return max(minQueue, int(float64(rate)*queueTime/8/frame))
}

// burst is how many bytes may go at once: what comes in 20 ms, or a machine that
// is busy would wake too late to use the rate, and no less than two packets.
func burst(rate uint64) uint32 {
	return uint32(max(2*frame, rate/8/50))
}
