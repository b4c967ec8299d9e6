package traffictest

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Closed is a port on which nobody listens: what arrives is counted by the
// kernel and read by nobody.
const Closed = 4321

// Flood sends n datagrams of size bytes and returns how many of them arrived, by
// the count of the receiving kernel (Udp NoPorts of /proc/net/snmp).
func Flood(t testing.TB, from, at *netns.NS, to string, n, size int) (arrived int) {
	t.Helper()
	before := noPorts(t, at)
	addr := netip.AddrPortFrom(netip.MustParseAddr(to), Closed)
	faulttest.Must(t, from.Do(func() error { return send(addr, n, make([]byte, size)) }))
	// The receiver may be behind.
	for last := -1; last != arrived || last == -1; {
		last = arrived
		time.Sleep(100 * time.Millisecond)
		arrived = noPorts(t, at) - before
	}
	return arrived
}

func send(to netip.AddrPort, n int, payload []byte) error {
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()})
	if to.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	for i := range n {
		if err := unix.Sendto(fd, payload, 0, sa); err != nil {
			return fmt.Errorf("send datagram %d: %w", i, err)
		}
		if i%100 == 99 {
			time.Sleep(50 * time.Microsecond) // the receiver's backlog holds a thousand
		}
	}
	return nil
}

// noPorts counts the datagrams of both families that came for nobody.
func noPorts(t testing.TB, ns *netns.NS) (n int) {
	t.Helper()
	return Counter(t, ns, "Udp", "NoPorts") + Counter(t, ns, "Udp6", "NoPorts")
}

// Counter reads one of the kernel's counters in a namespace: a protocol as
// /proc/net/snmp and snmp6 call it, and a field.
func Counter(t testing.TB, ns *netns.NS, protocol, field string) (n int) {
	t.Helper()
	faulttest.Must(t, ns.Do(func() error {
		four, err := os.ReadFile("/proc/thread-self/net/snmp")
		if err != nil {
			return err
		}
		six, err := os.ReadFile("/proc/thread-self/net/snmp6")
		if err != nil {
			return err
		}
		var names []string
		for line := range strings.Lines(string(four)) {
			words := strings.Fields(line)
			if words[0] != protocol+":" {
				continue
			}
			if names == nil {
				names = words
				continue
			}
			for i, name := range names {
				if name == field {
					_, err = fmt.Sscan(words[i], &n)
					return err
				}
			}
		}
		for line := range strings.Lines(string(six)) {
			if words := strings.Fields(line); words[0] == protocol+field {
				_, err = fmt.Sscan(words[1], &n)
				return err
			}
		}
		return fmt.Errorf("no counter %s %s", protocol, field)
	}))
	return n
}
