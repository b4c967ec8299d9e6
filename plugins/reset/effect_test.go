package reset

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Each row is a rule and which connections it leaves. The meter is what the
// program at the other end reads.
func TestWhatIsReset(t *testing.T) {
	ns, target := host(t)
	target.Exempt = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:4222")}
	type up struct{ v4, v6, mapped, control, ssh bool }
	rest := func(u up) up { u.control, u.ssh = true, true; return u }
	for name, c := range map[string]struct {
		p    Params
		want up
	}{
		"everybody":     {Params{To: []string{"0.0.0.0/0", "::/0"}}, rest(up{})},
		"IPv4":          {Params{To: []string{"127.0.0.0/8"}}, rest(up{v6: true})},
		"IPv6":          {Params{To: []string{"::1"}}, rest(up{v4: true, mapped: true})},
		"port":          {Params{Ports: []string{"5001-5002"}}, rest(up{v6: true, mapped: true})},
		"from":          {Params{From: []string{"127.0.0.1"}, Ports: []string{"5003"}}, rest(up{v4: true, v6: true})},
		"somebody else": {Params{To: []string{"10.0.0.0/8"}}, rest(up{v4: true, v6: true, mapped: true})},
	} {
		t.Run(name, func(t *testing.T) {
			v4, v6 := connect(t, ns, "127.0.0.1:5001", ""), connect(t, ns, "[::1]:5000", "")
			mapped := connect(t, ns, "127.0.0.1:5003", "[::]:5003") // one that listens for both
			control, ssh := connect(t, ns, "127.0.0.1:4222", ""), connect(t, ns, "127.0.0.1:22", "")
			r := New()
			ch := inject(t, r, target, c.p)
			o, err := New().Observe(t.Context(), target, ch)
			faulttest.Must(t, err)
			got := up{v4.up(t), v6.up(t), mapped.up(t), control.up(t), ssh.up(t)}
			if got != c.want {
				t.Errorf("up are %+v, want %+v", got, c.want)
			}
			down := 0
			for _, is := range []bool{got.v4, got.v6, got.mapped} {
				if !is {
					down++
				}
			}
			// Both ends are in this host: two sockets a connection, if the rule meets both.
			if n := int(o.Achieved[0].Value); (down > 0) != (o.Dose == fault.Exercised) || n < down || n > 2*down {
				t.Errorf("%d connections are down, observed %+v", down, o)
			}
			faulttest.Must(t, New().Revert(t.Context(), target, ch))
			if !connect(t, ns, "127.0.0.1:5001", "").up(t) {
				t.Error("a new connection does not work")
			}
		})
	}
}

// All of many connections are reset, and nothing else of the host is touched.
func TestAllAreReset(t *testing.T) {
	ns, target := host(t)
	list := func(owner string) (lines []string) {
		faulttest.Must(t, ns.Do(func() error {
			lines = faulttest.Listing(t, nil, "link ", "address ", "route ", owner)
			return nil
		}))
		return lines
	}
	found := list("link ")
	connections := make([]pair, 20)
	for i := range connections {
		connections[i] = connect(t, ns, "127.0.0.1:5001", "")
	}
	r := New()
	ch := inject(t, r, target, Params{Ports: []string{"5001"}})
	down := 0.0
	for _, c := range connections {
		if !c.up(t) {
			down++
		}
	}
	faulttest.Must(t, New().Revert(t.Context(), target, ch))
	if !connect(t, ns, "127.0.0.1:5001", "").up(t) {
		t.Error("a new connection does not work")
	}
	faulttest.Measured(t, faulttest.Measurement{
		Fault: Kind, What: "established TCP connections", Asked: float64(len(connections)), Achieved: down, Unit: "connections", Found: found, Left: list(ch.Owner),
	})
}

// The twin: with everything in place but the effect, all connections are up and
// Observe does not claim otherwise.
func TestWithoutEffectNothingIsReset(t *testing.T) {
	ns, target := host(t)
	c := connect(t, ns, "127.0.0.1:5001", "")
	r := New()
	r.noEffect = true
	ch := inject(t, r, target, Params{To: []string{"0.0.0.0/0"}})
	if !c.up(t) {
		t.Error("reset without effect")
	}
	o, err := r.Observe(t.Context(), target, ch)
	faulttest.Must(t, err)
	if o.Dose != fault.NotInForce || o.Achieved[0].Value != 0 {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, r.Revert(t.Context(), target, ch))
}

// The same address and port in another namespace is another connection.
func TestAnotherNamespaceIsLeft(t *testing.T) {
	ns, target := host(t)
	other, elsewhere := host(t)
	c, theirs := connect(t, ns, "127.0.0.1:5001", ""), connect(t, other, "127.0.0.1:5001", "")
	r := New()
	ch := inject(t, r, target, Params{Ports: []string{"5001"}})
	if c.up(t) || !theirs.up(t) {
		t.Error("the wrong namespace's connection was reset")
	}
	if err := r.Apply(t.Context(), elsewhere, ch, 0, 0); !errors.Is(err, fault.ErrGone) {
		t.Errorf("apply in another namespace: error %v, want %v", err, fault.ErrGone)
	}
	faulttest.Must(t, r.Revert(t.Context(), target, ch))
}

// A repetition resets what is connected anew, and ends with Revert in a process
// that knows nothing of it.
func TestRepeats(t *testing.T) {
	ns, target := host(t)
	first := connect(t, ns, "127.0.0.1:5001", "")
	r := New()
	ch := inject(t, r, target, Params{Ports: []string{"5001"}, Every: "100ms"})
	anew := connect(t, ns, "127.0.0.1:5001", "")
	time.Sleep(250 * time.Millisecond)
	if first.up(t) || anew.up(t) {
		t.Error("not reset again")
	}
	o, err := New().Observe(t.Context(), target, ch)
	faulttest.Must(t, err)
	// Both ends are in this host: the end of one may be that of the other.
	if o.Dose != fault.Exercised || o.Achieved[0].Value < 2 || o.Achieved[0].Value+o.Achieved[1].Value != 4 {
		t.Errorf("observed %+v", o)
	}
	faulttest.Must(t, New().Revert(t.Context(), target, ch))
	time.Sleep(150 * time.Millisecond)
	late := connect(t, ns, "127.0.0.1:5001", "")
	time.Sleep(250 * time.Millisecond)
	if !late.up(t) {
		t.Error("the repetition outlived its revert")
	}
	faulttest.Must(t, r.Revert(t.Context(), target, ch))
}

func TestRefusals(t *testing.T) {
	_, target := host(t)
	for field, p := range map[string]Params{
		"to":       {},
		"to[1]":    {To: []string{"10.0.0.1", "pluto"}},
		"from[0]":  {From: []string{"10.0.0.0/99"}},
		"ports[0]": {Ports: []string{"0"}},
		"every":    {Ports: []string{"1"}, Every: "1ms"},
	} {
		faulttest.PrepareRefused(t, New(), target, p, field)
	}
}

// host makes a network namespace with nothing but a loopback.
func host(t testing.TB) (*netns.NS, fault.Target) {
	t.Helper()
	need.Check(t, need.Root)
	ns := newNS(t)
	h, err := ns.Netlink()
	faulttest.Must(t, err)
	defer h.Close()
	lo, err := h.LinkByName("lo")
	faulttest.Must(t, err)
	faulttest.Must(t, h.LinkSetUp(lo))
	return ns, fault.Target{NetNS: fault.NetNS{Path: fmt.Sprintf("/proc/self/fd/%d", ns.Fd()), Inode: ns.Inode()}}
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

// pair is both ends of a connection.
type pair struct{ client, server net.Conn }

// connect connects to an address, at which something listens, on another one if
// given.
func connect(t *testing.T, ns *netns.NS, to, listen string) pair {
	t.Helper()
	p := dial(t, ns, to, listen)
	t.Cleanup(p.close)
	return p
}

// close leaves no TIME_WAIT: the next one listens on the same port.
func (p pair) close() {
	for _, c := range []net.Conn{p.client, p.server} {
		if c != nil {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}
}

// dial is connect without an end.
func dial(t testing.TB, ns *netns.NS, to, listen string) (p pair) {
	t.Helper()
	if listen == "" {
		listen = to
	}
	faulttest.Must(t, ns.Do(func() error {
		l, err := net.Listen("tcp", listen)
		if err != nil {
			return err
		}
		defer l.Close()
		if p.client, err = net.Dial("tcp", to); err != nil {
			return err
		}
		p.server, err = l.Accept()
		return err
	}))
	return p
}

// up says whether a byte gets from one end to the other.
func (p pair) up(t *testing.T) bool {
	t.Helper()
	if _, err := p.client.Write([]byte("x")); err != nil {
		return false
	}
	faulttest.Must(t, p.server.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	n, err := p.server.Read(make([]byte, 8))
	return err == nil && n > 0
}

func inject(t *testing.T, r *Plugin, target fault.Target, p Params) Change {
	t.Helper()
	c, err := r.Prepare(t.Context(), target, p)
	faulttest.Must(t, err)
	faulttest.Must(t, r.Apply(t.Context(), target, c, 0, fault.Now().Add(time.Minute)))
	return c
}
