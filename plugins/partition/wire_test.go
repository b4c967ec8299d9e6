package partition

import (
	"errors"
	"flag"
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

// wire is two hosts joined by a cable: a, in which faults act, and b, its peer.
type wire struct {
	a, b   *netns.NS
	target fault.Target
	h      *netlink.Handle // in a
}

const (
	addrA, addrB   = "10.99.0.1", "10.99.0.2"
	addrA6, addrB6 = "fd99::1", "fd99::2"
)

func newWire(t testing.TB) *wire {
	t.Helper()
	need.Check(t, need.Root)
	w := &wire{a: newNS(t), b: newNS(t)}
	w.target = fault.Target{NetNS: fault.NetNS{Path: fmt.Sprintf("/proc/self/fd/%d", w.a.Fd()), Inode: w.a.Inode()}}
	for _, ns := range []*netns.NS{w.a, w.b} {
		// No duplicate address detection: it takes up to two seconds.
		must(t, ns.Do(func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644)
		}))
	}
	ha, err := w.a.Netlink()
	must(t, err)
	t.Cleanup(ha.Close)
	w.h = ha
	hb, err := w.b.Netlink()
	must(t, err)
	defer hb.Close()
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(w.b.Fd())}
	must(t, ha.LinkAdd(veth))
	address(t, ha, addrA+"/24", addrA6+"/64")
	address(t, hb, addrB+"/24", addrB6+"/64")
	w.settle(t)
	return w
}

// settle waits until the kernel has added the routes of all IPv6 addresses.
func (w *wire) settle(t testing.TB) {
	t.Helper()
	for range 100 {
		local, err := w.h.RouteListFiltered(netlink.FAMILY_V6, &netlink.Route{Table: unix.RT_TABLE_LOCAL}, netlink.RT_FILTER_TABLE)
		must(t, err)
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
	must(t, m.err)
	t.Cleanup(func() { _ = m.ns.Close() })
	return m.ns
}

func address(t testing.TB, h *netlink.Handle, addrs ...string) {
	t.Helper()
	for _, name := range []string{"lo", "eth0"} {
		l, err := h.LinkByName(name)
		must(t, err)
		must(t, h.LinkSetUp(l))
		if name == "lo" {
			continue
		}
		for _, s := range addrs {
			a, err := netlink.ParseAddr(s)
			must(t, err)
			a.Flags = unix.IFA_F_NODAD
			must(t, h.AddrAdd(l, a))
		}
	}
}

// reaches says whether a datagram sent in from arrives at to, listening in at.
func reaches(t testing.TB, from, at *netns.NS, to string, local string) bool {
	t.Helper()
	var conn *net.UDPConn
	must(t, at.Do(func() (err error) {
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
	must(t, conn.SetReadDeadline(time.Now().Add(150*time.Millisecond)))
	_, err = conn.Read(make([]byte, 16))
	return err == nil
}

// connects says whether TCP from a to b's port works within 200 ms.
func connects(t testing.TB, from, at *netns.NS, to string) bool {
	t.Helper()
	var l net.Listener
	must(t, at.Do(func() (err error) {
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

// inject prepares and applies; the cut ends with the test.
func (w *wire) inject(t testing.TB, p *Partition, params Params) Change {
	t.Helper()
	c, err := p.Prepare(t.Context(), w.target, params)
	must(t, err)
	must(t, p.Apply(t.Context(), w.target, c, 0, in(time.Minute)))
	return c
}

func in(d time.Duration) fault.BootTime { return fault.Now() + fault.BootTime(d) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestMain(m *testing.M) {
	// Each check loads programs several times over.
	if err := flag.Set("rapid.checks", "6"); err != nil {
		panic(err)
	}
	faulttest.Main(m, driver)
}
