package powerloss

import (
	"errors"
	"fmt"
	"io/fs"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/internal/power"
)

// cable is the fabric-side end of a host's cable, through a handle in the
// fabric's namespace.
type cable struct {
	ns *netns.NS
	nl *netlink.Handle
	// link is nil if the recorded cable is gone.
	link netlink.Link
}

// openCable finds the recorded cable. A fabric that is gone has none.
func openCable(s power.Status) (*cable, error) {
	ns, err := netns.Open(s.FabricNS)
	if errors.Is(err, fs.ErrNotExist) {
		return &cable{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open fabric of host %s: %w", s.Host, err)
	}
	nl, err := ns.Netlink()
	if err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	c := &cable{ns: ns, nl: nl}
	if c.link, err = cableOf(nl, s); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *cable) close() {
	if c.ns != nil {
		c.nl.Close()
		_ = c.ns.Close()
	}
}

// findCable is for callers that only look.
func findCable(ns *netns.NS, s power.Status) (netlink.Link, error) {
	nl, err := ns.Netlink()
	if err != nil {
		return nil, err
	}
	defer nl.Close()
	return cableOf(nl, s)
}

// cableOf returns nil if the cable is gone. Index and name together identify
// it: a later power-on has another index, another device another name.
func cableOf(nl *netlink.Handle, s power.Status) (netlink.Link, error) {
	link, err := nl.LinkByIndex(s.VethIndex)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find cable %s of host %s: %w", s.Veth, s.Host, err)
	}
	if link.Attrs().Name != s.Veth || link.Type() != "veth" {
		return nil, nil
	}
	return link, nil
}

func missing(err error) bool {
	var notFound netlink.LinkNotFoundError
	return errors.As(err, &notFound) || errors.Is(err, unix.ENODEV)
}

// up says whether the recorded cable is plugged in and switched on.
func (c *cable) up() bool { return c.link != nil && c.link.Attrs().Flags&net.FlagUp != 0 }

// dark switches the far end off: nothing comes or goes any more, and nobody is told.
func (c *cable) dark() error {
	if c.link == nil {
		return nil
	}
	if err := c.nl.LinkSetDown(c.link); err != nil && !missing(err) {
		return fmt.Errorf("switch off cable %s: %w", c.link.Attrs().Name, err)
	}
	return nil
}

// lit switches the far end on again.
func (c *cable) lit() error {
	if c.link == nil {
		return nil
	}
	if err := c.nl.LinkSetUp(c.link); err != nil && !missing(err) {
		return fmt.Errorf("switch on cable %s: %w", c.link.Attrs().Name, err)
	}
	return nil
}

// unplug deletes the cable. Sockets of the dead host that still try to say
// good-bye keep its network namespace for minutes; without a cable they are
// heard by nobody, and the next power-on finds the name free.
func (c *cable) unplug() error {
	if c.link == nil {
		return nil
	}
	if err := c.nl.LinkDel(c.link); err != nil && !missing(err) {
		return fmt.Errorf("delete cable %s: %w", c.link.Attrs().Name, err)
	}
	c.link = nil
	return nil
}
