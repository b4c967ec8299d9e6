package dns

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// An answer is the query's own: its number and question in the letters it came in,
// EDNS as the query had it but without options, nothing that could be cached. The
// receiving kernel checks the checksum where the sender computed it, and takes
// the packet for right where a device would have.
func TestAnswer(t *testing.T) {
	w := traffictest.New(t)
	plain := question("Db.eXample.com.", dnsmessage.TypeMX)
	edns := plain
	edns.Additionals = []dnsmessage.Resource{opt(1232, dnsmessage.Option{Code: 10, Data: []byte("a cookie")}, dnsmessage.Option{Code: 12, Data: make([]byte, 301)})}
	reply := plain
	reply.Header = dnsmessage.Header{ID: 4711, Response: true, RecursionDesired: true, RecursionAvailable: true, CheckingDisabled: true, RCode: dnsmessage.RCodeNameError}
	withEDNS := reply
	withEDNS.Additionals = []dnsmessage.Resource{opt(1232)}
	change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "nxdomain", Names: []string{hit}})
	for _, offload := range []bool{true, false} {
		traffictest.ChecksumOffload(t, w.A, offload)
		for _, at := range []string{traffictest.AddrB, traffictest.AddrB6, local, "::1"} {
			for name, c := range map[string]struct{ query, want dnsmessage.Message }{"plain": {plain, reply}, "EDNS": {edns, withEDNS}} {
				got := exchange(t, w.A, at, c.query)
				if len(got) != 1 {
					t.Errorf("%s at %s, checksums by the device %v: no answer", name, at, offload)
					continue
				}
				if diff := cmp.Diff(comparable(t, c.want), comparable(t, got[0])); diff != "" {
					t.Errorf("%s at %s: %s", name, at, diff)
				}
			}
		}
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

func opt(size int, options ...dnsmessage.Option) dnsmessage.Resource {
	var h dnsmessage.ResourceHeader
	_ = h.SetEDNS0(size, dnsmessage.RCodeSuccess, true)
	return dnsmessage.Resource{Header: h, Body: &dnsmessage.OPTResource{Options: options}}
}

// comparable is a message as text.
func comparable(t *testing.T, m dnsmessage.Message) string {
	t.Helper()
	for i := range m.Additionals {
		m.Additionals[i].Header.Length = 0
	}
	return m.GoString()
}

// What asks for A and AAAA at once on one socket, as C libraries do, has both
// answers; other kinds of queries fail too; what is no query of one name passes.
func TestManyQueriesOnOneSocket(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.B, traffictest.AddrB)
	change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "servfail", Names: []string{hit}})
	var queries []dnsmessage.Message
	for n, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeSRV, dnsmessage.TypeTXT} {
		q := question(hit, kind)
		q.ID = uint16(n)
		queries = append(queries, q)
	}
	got := exchange(t, w.A, traffictest.AddrB, queries...)
	if len(got) != len(queries) {
		t.Fatalf("%d answers", len(got))
	}
	for n, m := range got {
		if m.RCode != dnsmessage.RCodeServerFailure || m.Questions[0] != queries[m.ID].Questions[0] {
			t.Errorf("answer %d: %s", n, m.GoString())
		}
	}
	update := question(hit, dnsmessage.TypeSOA)
	update.OpCode = 5
	if got := exchange(t, w.A, traffictest.AddrB, update); len(got) != 1 || got[0].RCode != dnsmessage.RCodeSuccess {
		t.Errorf("an update: %v", got)
	}
	long := question(hit, dnsmessage.TypeA)
	long.Additionals = []dnsmessage.Resource{opt(4096, dnsmessage.Option{Code: 12, Data: make([]byte, 600)})}
	if got := exchange(t, w.A, traffictest.AddrB, long); len(got) != 0 {
		t.Errorf("a query of 600 bytes, which is lost: %v", got)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// overTCP asks over TCP, in as many writes as there are parts, and says whether an
// answer came.
func overTCP(t *testing.T, from *netns.NS, at string, parts ...[]byte) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var conn net.Conn
	if err := from.Do(func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(at, "53"))
		return err
	}); err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	for _, p := range parts {
		_, err := conn.Write(p)
		faulttest.Must(t, err)
		time.Sleep(20 * time.Millisecond)
	}
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	_, err := readTCP(conn)
	return err == nil
}

// Falling back to TCP resolves nothing, however the query is written; other names
// resolve over TCP unless all are meant.
func TestTCP(t *testing.T) {
	w := traffictest.New(t)
	serve(t, w.B, traffictest.AddrB)
	serve(t, w.A, "::1")
	packed := func(name string) []byte {
		q := question(name, dnsmessage.TypeA)
		b, err := q.Pack()
		faulttest.Must(t, err)
		return withLength(b)
	}
	bad, good := packed(hit), packed(other)
	for _, mode := range []string{"nxdomain", "drop"} {
		change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: mode, Names: []string{hit}})
		for _, at := range []string{traffictest.AddrB, "::1"} {
			if overTCP(t, w.A, at, bad) || overTCP(t, w.A, at, bad[:2], bad[2:]) {
				t.Errorf("%s at %s: the name resolves over TCP", mode, at)
			}
			if !overTCP(t, w.A, at, good) || !overTCP(t, w.A, at, good[:2], good[2:]) {
				t.Errorf("%s at %s: another name does not resolve over TCP", mode, at)
			}
		}
		traffictest.Revert(t, w, &Plugin{}, change)
		if !overTCP(t, w.A, traffictest.AddrB, bad) {
			t.Errorf("%s: after revert the name does not resolve over TCP", mode)
		}
	}
	change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "servfail"})
	if overTCP(t, w.A, traffictest.AddrB, good) {
		t.Error("a name resolves over TCP, though none should")
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// A tunnel carries no Ethernet frames; queries over it are answered as well.
func TestTunnel(t *testing.T) {
	w := traffictest.New(t)
	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: netlink.TUNTAP_MODE_TUN, Flags: netlink.TUNTAP_NO_PI, Queues: 1}
	faulttest.Must(t, w.A.Do(func() error { return netlink.LinkAdd(tun) }))
	for _, f := range tun.Fds {
		t.Cleanup(func() { _ = f.Close() })
	}
	link, err := w.H.LinkByName("tun0")
	faulttest.Must(t, err)
	faulttest.Must(t, w.H.LinkSetUp(link))
	for _, text := range []string{"10.44.0.1/24", "fd44::1/64"} {
		a, err := netlink.ParseAddr(text)
		faulttest.Must(t, err)
		faulttest.Must(t, w.H.AddrAdd(link, a))
	}
	time.Sleep(50 * time.Millisecond)
	change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "nxdomain", Resolvers: []string{"10.44.0.53", "fd44::53"}})
	for _, at := range []string{"10.44.0.53", "fd44::53"} {
		if got := exchange(t, w.A, at, question(hit, dnsmessage.TypeA)); len(got) != 1 || got[0].RCode != dnsmessage.RCodeNameError {
			t.Errorf("%s: %v", at, got)
		}
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// What the host forwards for others is hit where it leaves, and the answer finds
// its way back to them.
func TestForwarded(t *testing.T) {
	w, behind := traffictest.New(t), traffictest.New(t)
	serve(t, w.B, traffictest.AddrB)
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth1"}, PeerName: "eth1", PeerNamespace: netlink.NsFd(behind.A.Fd())}
	faulttest.Must(t, w.H.LinkAdd(pair))
	join(t, w.H, "10.88.0.1/24")
	join(t, behind.H, "10.88.0.2/24")
	// Its own wire has the same addresses.
	faulttest.Must(t, behind.H.RouteAdd(&netlink.Route{Dst: netlink.NewIPNet(net.ParseIP(traffictest.AddrB)), Gw: net.ParseIP("10.88.0.1")}))
	faulttest.Must(t, w.A.Do(func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) }))
	change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "nxdomain", Names: []string{hit}})
	if got := exchange(t, behind.A, traffictest.AddrB, question(hit, dnsmessage.TypeA)); len(got) != 1 || got[0].RCode != dnsmessage.RCodeNameError {
		t.Errorf("forwarded: %v", got)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}

// join gives a host's second device an address.
func join(t *testing.T, h *netlink.Handle, address string) {
	t.Helper()
	link, err := h.LinkByName("eth1")
	faulttest.Must(t, err)
	a, err := netlink.ParseAddr(address)
	faulttest.Must(t, err)
	faulttest.Must(t, h.AddrAdd(link, a))
	faulttest.Must(t, h.LinkSetUp(link))
}
