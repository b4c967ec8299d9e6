package traffictest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
)

// Talker is a program in A that talks to B, as a service does. It hears datagrams
// and serves connections at a port of its own.
type Talker struct {
	*processtest.Program
	w    *Wire
	port uint16
}

// The ports of talkers in A, and those at which B hears and serves them.
const (
	talkers = 5100
	inB     = 5050
	ports   = 20 // from one port of a talker to its next
)

// Talker starts a program that is in these control groups, and lets it talk.
func (w *Wire) Talker(t testing.TB, groups ...string) *Talker {
	t.Helper()
	p := processtest.Start(t, "talker", processtest.Talk, groups...)
	if got := p.Ask(t, "enter "+w.PathOfA()); got != "ok" {
		t.Fatalf("the talker can't enter A: %s", got)
	}
	return w.Join(t, p)
}

// PathOfA is where any process of the host finds A's namespace.
func (w *Wire) PathOfA() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), w.A.Fd()) }

// Join lets a program of the role Talk talk, which is in A already.
func (w *Wire) Join(t testing.TB, p *processtest.Program) *Talker {
	t.Helper()
	w.talkers++
	k := &Talker{p, w, talkers + w.talkers}
	k.Open(t)
	return k
}

// Open lets it hear and serve at the next port.
func (k *Talker) Open(t testing.TB) {
	t.Helper()
	k.port += ports
	for _, a := range []string{AddrA, AddrA6} {
		k.told(t, "ok", "hear %s", at(a, k.port))
		k.told(t, "ok", "serve %s", at(a, k.port))
	}
}

// told tells it something and wants this answer.
func (k *Talker) told(t testing.TB, want, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	if got := k.Ask(t, line); got != want {
		t.Fatalf("the talker was told %q and says %q", line, got)
	}
}

func at(addr string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), port)
}

// Talk is how much a talker and B reach each other: of few datagrams each way, and
// as both ends of a TCP connection.
type Talk struct {
	Out, In           int // datagrams that arrived, of Few
	Changed           int // of those out, with another payload
	DialOut, DialIn   bool
	DialTime, OutTime time.Duration // how long it took to connect, and until the first datagram came
}

// Few is how many datagrams make a talk.
const Few = 40

// Talk tries how much passes, over IPv6 or IPv4.
func (k *Talker) Talk(t testing.TB, six bool) (talk Talk) {
	t.Helper()
	a, b := AddrA, AddrB
	if six {
		a, b = AddrA6, AddrB6
	}
	var ear *net.UDPConn
	var server net.Listener
	faulttest.Must(t, k.w.B.Do(func() (err error) {
		var err2 error
		ear, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at(b, inB)))
		server, err2 = net.Listen("tcp", at(b, inB).String())
		return errors.Join(err, err2)
	}))
	defer ear.Close()
	defer server.Close()
	began := time.Now()
	k.told(t, "ok", "send %s %d", at(b, inB), Few)
	talk.Out, talk.Changed, talk.OutTime = hear(ear, began)
	began = time.Now()
	talk.DialOut = k.Ask(t, fmt.Sprintf("dial %s", at(b, inB))) == "yes"
	talk.DialTime = time.Since(began)
	talk.In, talk.DialIn = k.reached(t, at(a, k.port))
	return talk
}

// reached tries the other way.
func (k *Talker) reached(t testing.TB, to netip.AddrPort) (heard int, connects bool) {
	t.Helper()
	k.Ask(t, "heard 1ms") // what is left of before
	faulttest.Must(t, k.w.B.Do(func() error {
		if err := send(to, Few, processtest.Datagram); err != nil {
			return err
		}
		conn, err := net.DialTimeout("tcp", to.String(), 300*time.Millisecond)
		if connects = err == nil; connects {
			return conn.Close()
		}
		return nil
	}))
	heard, err := strconv.Atoi(k.Ask(t, "heard 50ms"))
	faulttest.Must(t, err)
	return heard, connects
}

// hear takes what comes until nothing came for a while.
func hear(ear *net.UDPConn, began time.Time) (n, changed int, first time.Duration) {
	buf := make([]byte, 2048)
	for ; ; n++ {
		patience := 250 * time.Millisecond
		if n >= Few {
			patience = 60 * time.Millisecond // for what comes twice
		}
		_ = ear.SetReadDeadline(time.Now().Add(patience))
		size, err := ear.Read(buf)
		if err != nil {
			return n, changed, first
		}
		if n == 0 {
			first = time.Since(began)
		}
		if !bytes.Equal(buf[:size], processtest.Datagram) {
			changed++
		}
	}
}
