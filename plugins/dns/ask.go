package dns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/internal/traffic"
)

// domain is the port of resolvers (RFC 1035, 4.2).
const domain = 53

// patience is how long canaries wait for answers, all together: those of the
// fault are there at once.
const patience = 150 * time.Millisecond

// loopbacks are where local resolvers are, and where a query is hit whether there
// is one or not.
var loopbacks = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// toAsk chooses the resolvers that canaries go to: those that the fault is
// limited to, else the host's own (resolv.conf(5)) and the loopback.
func toAsk(c traffic.Change, limit []netip.Prefix) (out []netip.Addr) {
	for _, pre := range limit {
		out = append(out, traffic.AddressOf(pre))
	}
	if out != nil {
		return out
	}
	for _, d := range c.Devices {
		if d.Index == traffic.Loopback {
			out = loopbacks
		}
	}
	content, _ := os.ReadFile("/etc/resolv.conf") // a host without resolvers has none to ask
	for line := range strings.Lines(string(content)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(words[1]); err == nil && !addr.IsLoopback() {
			out = append(out, addr)
		}
	}
	return out[:min(len(out), maxResolvers)]
}

// hearing is what canaries heard.
type hearing struct {
	sent int
	hit  int // answered with the code of the fault, or with its silence
}

// ask sends a query for one of the fault's names to each resolver, and listens.
func ask(s *traffic.Space, c Change) (h hearing, err error) {
	query, err := canary(c.Action.Names)
	if err != nil {
		return h, err
	}
	var conns []*net.UDPConn
	err = s.NS.Do(func() error {
		for _, to := range c.Ask {
			if conn, err := send(to, query, c.Rule.CanaryMark()); err == nil { // else it has no way there
				conns = append(conns, conn)
			}
		}
		return nil
	})
	s.Unlock()
	until := time.Now().Add(patience)
	for _, conn := range conns {
		h.sent++
		if listen(conn, until, dnsmessage.RCode(c.Action.Code)) {
			h.hit++
		}
		_ = conn.Close()
	}
	return h, err
}

// canary is a query for the first of the names, or for one below it.
func canary(names []string) ([]byte, error) {
	text := traffic.Under + "invalid" // there is none, RFC 6761, 6.4
	if len(names) > 0 {
		text = names[0]
	}
	if below, ok := strings.CutPrefix(text, traffic.Under); ok {
		text = "firedrill." + below
	}
	name, err := dnsmessage.NewName(text + ".")
	if err != nil {
		return nil, fmt.Errorf("name canary %s: %w", text, err)
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: uint16(time.Now().UnixNano()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// send sends a marked query from the caller's network namespace.
func send(to netip.Addr, query []byte, as int) (*net.UDPConn, error) {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, domain)))
	if err != nil {
		return nil, err
	}
	if err = mark(conn, as); err == nil {
		_, err = conn.Write(query)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

func mark(conn *net.UDPConn, as int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, as)
	})
	return errors.Join(err, failed)
}

// listen says whether a query was answered with code, or with silence if that is 0.
func listen(conn *net.UDPConn, until time.Time, code dnsmessage.RCode) bool {
	buf := make([]byte, 512)
	_ = conn.SetReadDeadline(until)
	n, err := conn.Read(buf)
	if code == 0 {
		return errors.Is(err, os.ErrDeadlineExceeded)
	}
	if err != nil {
		return false
	}
	var p dnsmessage.Parser
	h, err := p.Start(buf[:n])
	return err == nil && h.Response && h.RCode == code
}
