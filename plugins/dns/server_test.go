package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// What the server says of every name.
var (
	answerA    = netip.MustParseAddr("192.0.2.80")
	answerAAAA = netip.MustParseAddr("2001:db8::80")
)

// server is a resolver that knows every name, over UDP and TCP, and remembers
// what it was asked.
type server struct {
	mu    sync.Mutex
	asked []string
}

// serve starts a server in ns at the address; it goes with the test.
func serve(t *testing.T, ns *netns.NS, at string) *server {
	t.Helper()
	s := &server{}
	to := netip.AddrPortFrom(netip.MustParseAddr(at), domain)
	var udp *net.UDPConn
	var tcp net.Listener
	faulttest.Must(t, ns.Do(func() (err error) {
		if udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(to)); err == nil {
			tcp, err = net.Listen("tcp", to.String())
		}
		return err
	}))
	t.Cleanup(func() { _, _ = udp.Close(), tcp.Close() })
	go s.serveUDP(udp)
	go s.serveTCP(tcp)
	return s
}

func (s *server) serveUDP(conn *net.UDPConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		_, _ = conn.WriteToUDPAddrPort(s.answer(buf[:n]), from)
	}
}

func (s *server) serveTCP(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			for query, err := readTCP(conn); err == nil; query, err = readTCP(conn) {
				_, _ = conn.Write(withLength(s.answer(query)))
			}
		}()
	}
}

func readTCP(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	m := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, m)
	return m, err
}

// withLength is a message as it goes over TCP (RFC 1035, 4.2.2).
func withLength(m []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)
}

func (s *server) answer(query []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(query) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	s.mu.Lock()
	s.asked = append(s.asked, strings.ToLower(q.Name.String()))
	s.mu.Unlock()
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionDesired: true, RecursionAvailable: true}
	head := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 60}
	switch q.Type {
	case dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: answerA.As4()}}}
	case dnsmessage.TypeAAAA:
		m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: answerAAAA.As16()}}}
	}
	b, _ := m.Pack()
	return b
}

// was says how often the server was asked for a name.
func (s *server) was(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a == name {
			n++
		}
	}
	return n
}

// resolve asks the server at an address as Go programs do: A and AAAA at once,
// with EDNS, again over TCP if need be. It returns what went wrong in one word.
func resolve(t *testing.T, from *netns.NS, at, name string) string {
	t.Helper()
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (conn net.Conn, err error) {
		doErr := from.Do(func() error {
			var d net.Dialer
			conn, err = d.DialContext(ctx, network, net.JoinHostPort(at, "53"))
			return nil
		})
		return conn, errors.Join(doErr, err)
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	got, err := r.LookupNetIP(ctx, "ip", name)
	var failed *net.DNSError
	switch {
	case err == nil && len(got) == 2:
		return ""
	case errors.As(err, &failed) && failed.IsNotFound:
		return "nxdomain"
	case errors.As(err, &failed) && failed.IsTimeout:
		return "drop"
	case errors.As(err, &failed) && failed.IsTemporary:
		return "servfail"
	}
	t.Errorf("%s at %s: %v, %v", name, at, got, err)
	return "?"
}

// question is a query without EDNS.
func question(name string, kind dnsmessage.Type) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true, CheckingDisabled: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
}

// exchange sends queries over one socket, all at once, and returns what comes back
// until all are answered or nothing comes for a while.
func exchange(t *testing.T, from *netns.NS, at string, queries ...dnsmessage.Message) (out []dnsmessage.Message) {
	t.Helper()
	var conn *net.UDPConn
	to := netip.AddrPortFrom(netip.MustParseAddr(at), domain)
	faulttest.Must(t, from.Do(func() (err error) {
		conn, err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		return err
	}))
	defer func() { _ = conn.Close() }()
	for _, q := range queries {
		b, err := q.Pack()
		faulttest.Must(t, err)
		_, err = conn.Write(b)
		faulttest.Must(t, err)
	}
	buf := make([]byte, 4096)
	for len(out) < len(queries) {
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := conn.Read(buf)
		if err != nil {
			return out
		}
		var m dnsmessage.Message
		faulttest.Must(t, m.Unpack(buf[:n]))
		out = append(out, m)
	}
	return out
}
