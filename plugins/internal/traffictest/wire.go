// Package traffictest has a cable with a host at each end, for the tests of
// network faults, and looks at what such faults may touch.
package traffictest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Wire is two hosts joined by a cable: A, in which faults act, and B, its peer.
type Wire struct {
	A, B    *netns.NS
	Target  fault.Target
	H       *netlink.Handle // in A
	talkers uint16
}

// The addresses of the two.
const (
	AddrA  = "10.99.0.1"
	AddrB  = "10.99.0.2"
	AddrA6 = "fd99::1"
	AddrB6 = "fd99::2"
)

// New makes a wire that goes with the test; it needs root.
func New(t testing.TB) *Wire {
	t.Helper()
	need.Check(t, need.Root)
	w := &Wire{A: newNS(t), B: newNS(t)}
	w.Target = fault.Target{NetNS: fault.NetNS{Path: fmt.Sprintf("/proc/self/fd/%d", w.A.Fd()), Inode: w.A.Inode()}}
	for _, ns := range []*netns.NS{w.A, w.B} {
		// No duplicate address detection: it takes up to two seconds.
		faulttest.Must(t, ns.Do(func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644)
		}))
	}
	ha, err := w.A.Netlink()
	faulttest.Must(t, err)
	t.Cleanup(ha.Close)
	w.H = ha
	hb, err := w.B.Netlink()
	faulttest.Must(t, err)
	defer hb.Close()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(w.B.Fd())}
	faulttest.Must(t, ha.LinkAdd(veth))
	address(t, ha, AddrA+"/24", AddrA6+"/64")
	address(t, hb, AddrB+"/24", AddrB6+"/64")
	w.settle(t)
	return w
}

// settle waits until the kernel has added the routes of all IPv6 addresses.
func (w *Wire) settle(t testing.TB) {
	t.Helper()
	for range 100 {
		local, err := w.H.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
		faulttest.Must(t, err)
		n := 0
		for _, r := range local {
			if r.Dst != nil && r.LinkIndex != 1 {
				if ones, _ := r.Dst.Mask.Size(); ones == 128 {
					n++
				}
			}
		}
		if n >= 2 {
			time.Sleep(30 * time.Millisecond)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("IPv6 addresses did not come up within 2 s")
}

func newNS(t testing.TB) *netns.NS {
	t.Helper()
	type made struct {
		ns  *netns.NS
		err error
	}
	ch := make(chan made)
	go func() {
		// Back to the old namespace at the end: the process's first thread never ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		old, err := netns.Open("")
		if err != nil {
			ch <- made{nil, err}
			return
		}
		defer old.Close()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			ch <- made{nil, err}
			return
		}
		ns, err := netns.Open("")
		ch <- made{ns, errors.Join(err, unix.Setns(old.Fd(), unix.CLONE_NEWNET))}
	}()
	m := <-ch
	faulttest.Must(t, m.err)
	t.Cleanup(func() { _ = m.ns.Close() })
	return m.ns
}

// Eth0 is A's end of the cable.
func (w *Wire) Eth0(t testing.TB) netlink.Link {
	t.Helper()
	l, err := w.H.LinkByName("eth0")
	faulttest.Must(t, err)
	return l
}

func address(t testing.TB, h *netlink.Handle, addrs ...string) {
	t.Helper()
	for _, name := range []string{"lo", "eth0"} {
		l, err := h.LinkByName(name)
		faulttest.Must(t, err)
		faulttest.Must(t, h.LinkSetUp(l))
		if name == "lo" {
			continue
		}
		for _, s := range addrs {
			a, err := netlink.ParseAddr(s)
			faulttest.Must(t, err)
			a.Flags = unix.IFA_F_NODAD
			faulttest.Must(t, h.AddrAdd(l, a))
		}
	}
}

// Reaches says whether a datagram sent in from arrives at to, listening in at.
func Reaches(t testing.TB, from, at *netns.NS, to string, local string) bool {
	t.Helper()
	var conn *net.UDPConn
	faulttest.Must(t, at.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		return err
	}))
	defer conn.Close()
	err := from.Do(func() error {
		var l *net.UDPAddr
		if local != "" {
			l = net.UDPAddrFromAddrPort(netip.MustParseAddrPort(local))
		}
		c, err := net.DialUDP("udp", l, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("hello"))
		return err
	})
	if err != nil {
		t.Logf("send to %s: %v", to, err)
		return false
	}
	faulttest.Must(t, conn.SetReadDeadline(time.Now().Add(150*time.Millisecond)))
	_, err = conn.Read(make([]byte, 16))
	return err == nil
}

// Connects says whether TCP from a to b's port works within 200 ms.
func Connects(t testing.TB, from, at *netns.NS, to string) bool {
	t.Helper()
	var l net.Listener
	faulttest.Must(t, at.Do(func() (err error) {
		l, err = net.Listen("tcp", to)
		return err
	}))
	defer l.Close()
	var c net.Conn
	err := from.Do(func() (err error) {
		c, err = net.DialTimeout("tcp", to, 200*time.Millisecond)
		return err
	})
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// Inject prepares and applies for a minute.
func Inject[P, C any](t testing.TB, w *Wire, p fault.Plugin[P, C], params P) C {
	t.Helper()
	c := faulttest.Prepare(t, p, w.Target, params)
	faulttest.Must(t, p.Apply(t.Context(), w.Target, c, 0, In(time.Minute)))
	return c
}

// Revert reverts in what stands for another process: a plugin that knows nothing.
func Revert[P, C any](t testing.TB, w *Wire, fresh fault.Plugin[P, C], c C) {
	t.Helper()
	faulttest.Must(t, fresh.Revert(t.Context(), w.Target, c))
}

// Observe observes.
func Observe[P, C any](t testing.TB, w *Wire, p fault.Plugin[P, C], c C) fault.Observation {
	t.Helper()
	return faulttest.Observe(t, p, w.Target, c)
}

// In is the instant after d.
func In(d time.Duration) fault.BootTime { return fault.Now() + fault.BootTime(d) }

// Family is the address family of a wire's address, for people.
func Family(address string) string {
	if netip.MustParseAddr(address).Is4() {
		return "IPv4"
	}
	return "IPv6"
}
