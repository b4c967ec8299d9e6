package powerloss

import (
	"context"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// pingTime is how long an answer may take, pings how many are sent.
const (
	pingTime = 500 * time.Millisecond
	pings    = 3
)

// pinged says whether a host answers one of a few echo requests, RFC 792 and 4443.
// One that can't be sent is not answered.
func pinged(ctx context.Context, host netip.Addr) bool {
	network, echo, reply, protocol := "ip4:icmp", icmp.Type(ipv4.ICMPTypeEcho), icmp.Type(ipv4.ICMPTypeEchoReply), 1
	if host.Is6() {
		network, echo, reply, protocol = "ip6:ipv6-icmp", ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58
	}
	conn, err := icmp.ListenPacket(network, "")
	if err != nil {
		return false
	}
	defer conn.Close()
	id := os.Getpid() & 0xffff
	for seq := 1; seq <= pings && ctx.Err() == nil; seq++ {
		m := icmp.Message{Type: echo, Body: &icmp.Echo{ID: id, Seq: seq}}
		b, err := m.Marshal(nil) // the kernel writes the checksum of IPv6
		if err != nil {
			return false
		}
		_ = conn.SetDeadline(time.Now().Add(pingTime))
		if _, err := conn.WriteTo(b, &net.IPAddr{IP: host.AsSlice(), Zone: host.Zone()}); err == nil && heardBack(conn, reply, protocol, id) {
			return true
		}
	}
	return false
}

// heardBack reads until the deadline: the socket sees all ICMP that comes in.
func heardBack(conn *icmp.PacketConn, reply icmp.Type, protocol, id int) bool {
	for b := make([]byte, 1500); ; {
		n, _, err := conn.ReadFrom(b)
		if err != nil {
			return false
		}
		m, err := icmp.ParseMessage(protocol, b[:n])
		if err != nil || m.Type != reply {
			continue
		}
		if e, ok := m.Body.(*icmp.Echo); ok && e.ID == id {
			return true
		}
	}
}
