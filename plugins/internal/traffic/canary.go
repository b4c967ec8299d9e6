package traffic

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// MaxCanaries bounds what one Observe sends.
const MaxCanaries = 64

// discard is the port of the discard service (RFC 863): where nothing listens
// and nobody minds a packet, should it get there.
const discard = 9

// SendCanary sends one marked packet that r is about on its way out: a UDP
// datagram or the SYN of a connection, to the first address of the prefix. It is
// sent from the caller's network namespace.
func SendCanary(pre netip.Prefix, r Rule) error { return sendCanary(pre, r, 1, 0) }

// AddressOf is the address of a prefix that canaries go to.
func AddressOf(pre netip.Prefix) netip.Addr {
	if pre.Bits() < pre.Addr().BitLen() {
		return pre.Addr().Next() // the first address names the network
	}
	return pre.Addr()
}

// sendCanary sends n of them, with so many bytes of payload where they can have any.
func sendCanary(pre netip.Prefix, r Rule, n, size int) error {
	if r.Direction&bpf.Out == 0 {
		return errors.New("send canary: the rule is about incoming packets only")
	}
	addr := AddressOf(pre)
	port := uint16(discard)
	if len(r.Ports) > 0 {
		port = r.Ports[0].Lo
	}
	kind, proto := unix.SOCK_DGRAM, unix.IPPROTO_UDP
	switch r.Protocol {
	case unix.IPPROTO_TCP:
		kind, proto = unix.SOCK_STREAM, unix.IPPROTO_TCP
	case unix.IPPROTO_ICMP:
		kind, proto = unix.SOCK_RAW, unix.IPPROTO_ICMP
	}
	return send(netip.AddrPortFrom(addr, port), kind, proto, r.CanaryMark(), n, size)
}

// CanaryMark is the mark (SO_MARK, socket(7)) of a packet that a meter sends so that
// r acts upon it; it counts as one of the group's, if r is about one.
func (r Rule) CanaryMark() int {
	if r.Group != nil {
		return bpf.GroupCanary
	}
	return bpf.Canary
}

// allNodes are the multicast groups that everybody on a link is in, RFC 1112 and
// RFC 4291: whoever is meant by a rule about everybody needs no route to them.
var (
	allNodes4 = netip.AddrFrom4([4]byte{224, 0, 0, 1})
	allNodes6 = netip.MustParseAddr("ff02::1")
)

// callAll are the ways to call all nodes on the link of each device of c, with one
// marked packet; pre is everybody.
func callAll(pre netip.Prefix, c Change) (ways []func() error) {
	to := allNodes4
	if pre.Addr().Is6() {
		to = allNodes6
	}
	port := uint16(discard)
	if len(c.Rule.Ports) > 0 {
		port = c.Rule.Ports[0].Lo
	}
	for _, d := range c.Devices {
		ways = append(ways, func() error { return call(netip.AddrPortFrom(to, port), d.Index, c.Rule.CanaryMark()) })
	}
	return ways
}

// canaries are the ways to send one packet that c is about on its way out: to each
// peer, over each device where that is everybody. What is about incoming packets
// only has none: nothing of this host's own comes in.
func (c Change) canaries() (ways []func() error) {
	if c.Rule.Direction&bpf.Out == 0 {
		return nil
	}
	for _, pre := range c.Rule.To[:min(len(c.Rule.To), MaxCanaries)] {
		if pre.Bits() == 0 && c.Rule.Protocol != unix.IPPROTO_TCP {
			ways = append(ways, callAll(pre, c)...)
		} else {
			ways = append(ways, func() error { return SendCanary(pre, c.Rule) })
		}
	}
	return ways
}

// call sends one marked datagram over a device; no program of this host hears it.
func call(to netip.AddrPort, device, mark int) error {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := canarySocket(family, unix.SOCK_DGRAM, unix.IPPROTO_UDP, mark)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if family == unix.AF_INET {
		err = errors.Join(unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(device)}),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0))
	} else {
		err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, device),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0))
	}
	if err != nil {
		return fmt.Errorf("aim canary at device %d: %w", device, err)
	}
	return emit(fd, to, unix.SOCK_DGRAM, 1, 0)
}

func canarySocket(family, kind, proto, mark int) (fd int, err error) {
	fd, err = unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, proto)
	if err != nil {
		return -1, fmt.Errorf("open canary socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, mark); err != nil {
		return -1, errors.Join(fmt.Errorf("mark canary: %w", err), unix.Close(fd))
	}
	return fd, nil
}

func send(to netip.AddrPort, kind, proto, mark, n, size int) error {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
		if proto == unix.IPPROTO_ICMP {
			proto = unix.IPPROTO_ICMPV6
		}
	}
	fd, err := canarySocket(family, kind, proto, mark)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := emit(fd, to, kind, n, size); err != nil {
		return fmt.Errorf("send canary to %s: %w", to, err)
	}
	return nil
}

func emit(fd int, to netip.AddrPort, kind, n, size int) error {
	if kind == unix.SOCK_STREAM {
		if err := unix.Connect(fd, sockaddr(to)); !errors.Is(err, unix.EINPROGRESS) {
			return err
		}
		return nil
	}
	payload := append([]byte("firedrill canary"), make([]byte, size)...)
	if kind == unix.SOCK_RAW {
		payload = []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0} // echo request with its checksum, RFC 792
		if to.Addr().Is6() {
			payload[0] = 128 // RFC 4443; the kernel sets the checksum
		}
	}
	for i := range n {
		err := unix.Sendto(fd, payload, 0, sockaddr(to))
		if errors.Is(err, unix.EAGAIN) && i > 0 {
			return nil // as many as the socket may have on the way
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sockaddr(ap netip.AddrPort) unix.Sockaddr {
	if ap.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}
}
