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

// fabric is what hosts are plugged into: a network namespace with one handle for
// all cables of a batch. Nil: the fabric is gone, and all cables with it.
type fabric struct {
	ns *netns.NS
	nl *netlink.Handle
	// packets is the socket canaries are sent and heard through; -1 until asked for.
	packets int
}

// openFabric opens the fabric that s names.
func openFabric(s power.Status) (*fabric, error) {
	ns, err := netns.Open(s.FabricNS)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open fabric of host %s: %w", s.Host, err)
	}
	nl, err := ns.Netlink()
	if err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return &fabric{ns: ns, nl: nl, packets: -1}, nil
}

func (f *fabric) close() {
	if f == nil {
		return
	}
	if f.packets >= 0 {
		_ = unix.Close(f.packets)
	}
	f.nl.Close()
	_ = f.ns.Close()
}

// fabrics are those of a batch, by the path of their namespace.
type fabrics map[string]*fabric

func (all fabrics) of(s power.Status) (*fabric, error) {
	if f, ok := all[s.FabricNS]; ok {
		return f, nil
	}
	f, err := openFabric(s)
	if err == nil {
		all[s.FabricNS] = f
	}
	return f, err
}

func (all fabrics) close() {
	for _, f := range all {
		f.close()
	}
}

// cable is the fabric-side end of a host's cable.
type cable struct {
	fabric *fabric
	link   netlink.Link // nil if the recorded cable is gone
}

// cable finds the recorded cable.
func (f *fabric) cable(s power.Status) (*cable, error) {
	if f == nil {
		return &cable{}, nil
	}
	link, err := cableOf(f.nl, s)
	if err != nil {
		return nil, err
	}
	return &cable{fabric: f, link: link}, nil
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
	if err := c.fabric.nl.LinkSetDown(c.link); err != nil && !missing(err) {
		return fmt.Errorf("switch off cable %s: %w", c.link.Attrs().Name, err)
	}
	return nil
}

// lit switches the far end on again.
func (c *cable) lit() error {
	if c.link == nil {
		return nil
	}
	if err := c.fabric.nl.LinkSetUp(c.link); err != nil && !missing(err) {
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
	if err := c.fabric.nl.LinkDel(c.link); err != nil && !missing(err) {
		return fmt.Errorf("delete cable %s: %w", c.link.Attrs().Name, err)
	}
	c.link = nil
	return nil
}
