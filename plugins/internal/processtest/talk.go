package processtest

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
)

// talker is a program that talks over the network as it is told, a line at a time:
//
//	enter PATH      go on in this network namespace
//	send ADDR N     send N datagrams
//	hear ADDR       take datagrams from now on
//	heard D         how many came since it was asked last, and within this duration
//	serve ADDR      accept TCP connections from now on
//	dial ADDR       connect: "yes", or "no" after 250 ms
//	hold ADDR       connect and stay so
//
// It answers "ok", a number, or what went wrong.
type talker struct {
	ns   *netns.NS // that it was told to enter; nil: its own
	ears []*net.UDPConn
	held []net.Conn
}

func (t *talker) answer(line string) string {
	words := strings.Fields(line)
	var said string
	act := func() (err error) {
		said, err = t.do(words[0], words[1:])
		return err
	}
	var err error
	if t.ns == nil {
		err = act()
	} else {
		err = t.ns.Do(act)
	}
	if err != nil {
		return err.Error()
	}
	return said
}

func (t *talker) do(what string, args []string) (said string, err error) {
	switch what {
	case "enter":
		t.ns, err = netns.Open(args[0])
	case "send":
		n, _ := strconv.Atoi(args[1])
		err = send(args[0], n)
	case "hear":
		var ear *net.UDPConn
		at, _ := net.ResolveUDPAddr("udp", args[0])
		if ear, err = net.ListenUDP("udp", at); err == nil {
			t.ears = append(t.ears, ear)
		}
	case "heard":
		patience, _ := time.ParseDuration(args[0])
		return strconv.Itoa(t.heard(patience)), nil
	case "serve":
		var l net.Listener
		if l, err = net.Listen("tcp", args[0]); err == nil {
			go accept(l)
		}
	case "dial":
		conn, err := net.DialTimeout("tcp", args[0], 250*time.Millisecond)
		if err != nil {
			return "no", nil
		}
		return "yes", conn.Close()
	case "hold":
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp", args[0], time.Second); err == nil {
			t.held = append(t.held, conn)
		}
	default:
		err = fmt.Errorf("unknown word %q", what)
	}
	return "ok", err
}

// Datagram is what each datagram of a talker carries.
var Datagram = []byte(strings.Repeat("firedrill ", 100))

func send(to string, n int) error {
	conn, err := net.Dial("udp", to)
	if err != nil {
		return err
	}
	for range n {
		// Nobody may listen, of which an earlier datagram brings word.
		if _, err := conn.Write(Datagram); err != nil && !errors.As(err, new(*net.OpError)) {
			return err
		}
	}
	return conn.Close()
}

func (t *talker) heard(patience time.Duration) (n int) {
	for _, ear := range t.ears {
		for buf := make([]byte, 2048); ; n++ {
			_ = ear.SetReadDeadline(time.Now().Add(patience))
			if _, err := ear.Read(buf); err != nil {
				break
			}
		}
	}
	return n
}

func accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.Close()
	}
}
