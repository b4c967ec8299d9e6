package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tuned are settings of the network that differ from the kernel's defaults, so
// that a fault that reverts to the default instead of to what was there is caught.
var tuned = map[string]string{
	"net/ipv4/ip_local_port_range":  "20000\t59999",
	"net/ipv4/tcp_keepalive_time":   "601",
	"net/ipv4/tcp_max_orphans":      "1000",
	"net/ipv6/conf/eth0/accept_dad": "0", // an address is usable at once
	"net/ipv6/conf/eth0/accept_ra":  "0",
	// The kernel's own link-local address comes some time after the carrier, up to
	// a second; ours is there before anybody looks at the host.
	"net/ipv6/conf/eth0/addr_gen_mode": "1",
}

// tunedQueue is the length of eth0's queue; the kernel's default is 1000.
const tunedQueue = 900

// configureNetwork sets up lo and eth0 in the calling process's namespace.
func configureNetwork(h hostSpec) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	eth, err := netlink.LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	for name, value := range tuned {
		// A kernel without IPv6 has no such settings; nothing depends on them.
		_ = os.WriteFile("/proc/sys/"+name, []byte(value), 0o644)
	}
	if err := netlink.LinkSetTxQLen(eth, tunedQueue); err != nil {
		return fmt.Errorf("set queue of eth0: %w", err)
	}
	if err := netlink.LinkSetUp(eth); err != nil {
		return fmt.Errorf("set eth0 up: %w", err)
	}
	linkLocal := strings.Replace(h.Address6, "fd77::", "fe80::", 1)
	for _, cidr := range []string{h.Address + "/16", h.Address6 + "/64", linkLocal + "/64"} {
		addr, err := netlink.ParseAddr(cidr)
		if err != nil {
			return fmt.Errorf("set address of eth0: %w", err)
		}
		if addr.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		} else {
			addr.Broadcast = net.IPv4zero // none: a lab needs no broadcast
		}
		err = netlink.AddrAdd(eth, addr)
		if addr.IP.To4() == nil && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EACCES)) {
			continue // IPv6 is off on this machine
		}
		if err != nil {
			return fmt.Errorf("set address %s of eth0: %w", cidr, err)
		}
	}
	return nil
}
