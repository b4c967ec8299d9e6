package linkdown

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// wire is two hosts joined by two cables: a, in which faults act, and b, its peer.
type wire struct {
	a, b   *netns.NS
	h      *netlink.Handle // in a
	target fault.Target
}

const addrA, addrB = "10.99.0.1", "10.99.0.2"

// newWire makes a tuned host: routes in several tables, of several kinds, with
// what a default does not have.
func newWire(t testing.TB) *wire {
	t.Helper()
	need.Check(t, need.Root)
	w := &wire{a: newNS(t), b: newNS(t)}
	w.target = fault.Target{NetNS: fault.NetNS{Path: fmt.Sprintf("/proc/self/fd/%d", w.a.Fd()), Inode: w.a.Inode()}}
	for _, ns := range []*netns.NS{w.a, w.b} {
		faulttest.Must(t, ns.Do(func() error {
			return errors.Join(os.WriteFile("/proc/sys/net/ipv6/conf/default/accept_dad", []byte("0"), 0o644),
				os.WriteFile("/proc/sys/net/ipv6/conf/default/router_solicitations", []byte("0"), 0o644))
		}))
	}
	h, err := w.a.Netlink()
	faulttest.Must(t, err)
	t.Cleanup(h.Close)
	w.h = h
	hb, err := w.b.Netlink()
	faulttest.Must(t, err)
	defer hb.Close()
	for i, name := range []string{"eth0", "eth1"} {
		faulttest.Must(t, h.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name, PeerNamespace: netlink.NsFd(w.b.Fd())}))
		for n, h := range []*netlink.Handle{h, hb} {
			l, err := h.LinkByName(name)
			faulttest.Must(t, err)
			faulttest.Must(t, h.LinkSetUp(l))
			for _, s := range []string{fmt.Sprintf("10.99.%d.%d/24", i, n+1), fmt.Sprintf("fd99:%d::%d/64", i, n+1)} {
				a, err := netlink.ParseAddr(s)
				faulttest.Must(t, err)
				faulttest.Must(t, h.AddrAdd(l, a))
			}
		}
	}
	w.tune(t)
	w.settle(t)
	return w
}

func (w *wire) tune(t testing.TB) {
	t.Helper()
	eth0, eth1 := w.link(t, "eth0"), w.link(t, "eth1")
	faulttest.Must(t, w.h.LinkSetAlias(eth0, "uplink, do not touch"))
	for _, s := range []string{"10.99.0.100/24", "192.0.2.7/32", "fd99:7::1/128"} {
		a, err := netlink.ParseAddr(s)
		faulttest.Must(t, err)
		a.ValidLft, a.PreferedLft = 3600, 1800
		faulttest.Must(t, w.h.AddrAdd(eth0, a))
	}
	faulttest.Must(t, w.h.LinkSetUp(w.link(t, "lo")))
	hop := func(to string, via string, more func(*netlink.Route)) {
		r := &netlink.Route{LinkIndex: eth0.Attrs().Index, Dst: cidr(to), Gw: net.ParseIP(via)}
		if more != nil {
			more(r)
		}
		err := w.h.RouteAdd(r)
		for range 100 { // until an IPv6 address is ready to be a source
			if !errors.Is(err, unix.EINVAL) {
				break
			}
			time.Sleep(20 * time.Millisecond)
			err = w.h.RouteAdd(r)
		}
		faulttest.Must(t, err)
	}
	hop("0.0.0.0/0", addrB, func(r *netlink.Route) { r.Priority, r.Src = 77, net.ParseIP(addrA) })
	hop("10.50.0.0/16", addrB, func(r *netlink.Route) { r.Table, r.MTU, r.Protocol = 1234, 1400, unix.RTPROT_STATIC })
	hop("10.51.0.0/16", "10.50.0.9", func(r *netlink.Route) { r.Table, r.Flags = 99, int(netlink.FLAG_ONLINK) })
	hop("::/0", "fd99:0::2", func(r *netlink.Route) { r.Priority = 55 })
	hop("fd50::/32", "fd99:0::2", func(r *netlink.Route) { r.Table, r.Src = 1234, net.ParseIP("fd99:7::1") })
	faulttest.Must(t, w.h.RouteAdd(&netlink.Route{Dst: cidr("10.60.0.0/16"), MultiPath: []*netlink.NexthopInfo{
		{LinkIndex: eth0.Attrs().Index, Gw: net.ParseIP(addrB), Hops: 3}, {LinkIndex: eth1.Attrs().Index, Gw: net.ParseIP("10.99.1.2")},
	}}))
	faulttest.Must(t, w.h.RouteAdd(&netlink.Route{Dst: cidr("fd60::/32"), MultiPath: []*netlink.NexthopInfo{
		{LinkIndex: eth0.Attrs().Index, Gw: net.ParseIP("fd99:0::2")}, {LinkIndex: eth1.Attrs().Index, Gw: net.ParseIP("fd99:1::2")},
	}}))
	// A route of an address that somebody removed stays removed.
	faulttest.Must(t, w.h.RouteDel(&netlink.Route{LinkIndex: eth0.Attrs().Index, Dst: cidr("fd99:7::1/128"), Protocol: unix.RTPROT_KERNEL, Priority: 256}))
	mac, _ := net.ParseMAC("02:00:00:00:00:99")
	for _, ip := range []string{"10.99.0.77", "fd99:0::77"} {
		faulttest.Must(t, w.h.NeighAdd(&netlink.Neigh{LinkIndex: eth0.Attrs().Index, State: unix.NUD_PERMANENT, IP: net.ParseIP(ip), HardwareAddr: mac}))
		faulttest.Must(t, w.h.NeighAdd(&netlink.Neigh{LinkIndex: eth0.Attrs().Index, Flags: unix.NTF_PROXY, IP: net.ParseIP(ip).To16()}))
	}
}

func cidr(s string) *net.IPNet {
	_, n, _ := net.ParseCIDR(s)
	return n
}

// settle waits until nothing changes by itself any more.
func (w *wire) settle(t testing.TB) {
	t.Helper()
	before := w.snapshot(t)
	for range 100 {
		time.Sleep(60 * time.Millisecond)
		now := w.snapshot(t)
		if slices.Equal(before, now) {
			return
		}
		before = now
	}
	t.Fatal("the host does not settle: ", cmp.Diff(before, w.snapshot(t)))
}

// snapshot is what a host's tools would list, by another way than the plugin's.
// Lifetimes and learned neighbours are left out.
func (w *wire) snapshot(t testing.TB) (out []string) {
	t.Helper()
	links, err := w.h.LinkList()
	faulttest.Must(t, err)
	for _, l := range links {
		a := l.Attrs()
		out = append(out, fmt.Sprintf("link %s %#x %q %s", a.Name, a.RawFlags, a.Alias, a.OperState))
	}
	addrs, err := w.h.AddrList(nil, netlink.FAMILY_ALL)
	faulttest.Must(t, err)
	for _, a := range addrs {
		out = append(out, fmt.Sprintf("address %s %s %d %d %#x", a.IPNet, a.Label, a.LinkIndex, a.Scope, a.Flags&^unix.IFA_F_TENTATIVE))
	}
	routes, err := w.h.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{}, netlink.RT_FILTER_TABLE)
	faulttest.Must(t, err)
	for _, r := range routes {
		text, err := json.Marshal(r)
		faulttest.Must(t, err)
		out = append(out, "route "+string(text))
	}
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		for _, list := range []func(int, int) ([]netlink.Neigh, error){w.h.NeighList, w.h.NeighProxyList} {
			all, err := list(0, family)
			faulttest.Must(t, err)
			for _, n := range all {
				if n.State&unix.NUD_PERMANENT != 0 || n.Flags&unix.NTF_PROXY != 0 {
					out = append(out, fmt.Sprintf("neighbour %s %s %d %#x %#x", n.IP, n.HardwareAddr, n.LinkIndex, n.State, n.Flags))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func (w *wire) link(t testing.TB, name string) netlink.Link {
	t.Helper()
	l, err := w.h.LinkByName(name)
	faulttest.Must(t, err)
	return l
}

// reaches says whether a datagram from a arrives at b.
func (w *wire) reaches(t *testing.T, to string) bool {
	t.Helper()
	var at *net.UDPConn
	faulttest.Must(t, w.b.Do(func() (err error) {
		at, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		return err
	}))
	defer at.Close()
	err := w.a.Do(func() error {
		c, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("hello"))
		return err
	})
	faulttest.Must(t, at.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	_, rerr := at.Read(make([]byte, 8))
	return err == nil && rerr == nil
}

func newNS(t testing.TB) (ns *netns.NS) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		home, err := netns.Open("")
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		err = unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			ns, err = netns.Open("")
		}
		done <- errors.Join(err, home.Enter())
	}()
	faulttest.Must(t, <-done)
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}
