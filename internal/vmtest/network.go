package vmtest

import (
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
)

// setAddress gives the machine the address that its emulator expects, and the
// way out.
func setAddress() error {
	var link netlink.Link
	var err error
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		// The driver is a module that udev loads.
		if link, err = netlink.LinkByName("eth0"); err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("find network device: %w", err)
		}
	}
	address, err := netlink.ParseAddr("10.0.2.15/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("set address: %w", err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set network device up: %w", err)
	}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: net.ParseIP(Outside)}); err != nil {
		return fmt.Errorf("set way out: %w", err)
	}
	return nil
}
