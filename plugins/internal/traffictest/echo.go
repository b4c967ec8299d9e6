package traffictest

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
)

// RoundTrips sends n datagrams one after the other to an echo and returns how long
// each took there and back, the shortest first. Those without an answer within
// half a second are left out.
func RoundTrips(t testing.TB, from, at *netns.NS, to string, n int) (took []time.Duration) {
	t.Helper()
	addr := net.JoinHostPort(to, "5007")
	var echo net.PacketConn
	must(t, at.Do(func() (err error) { echo, err = net.ListenPacket("udp", addr); return err }))
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64)
		for {
			size, from, err := echo.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = echo.WriteTo(buf[:size], from)
		}
	}()
	var conn net.Conn
	must(t, from.Do(func() (err error) { conn, err = net.Dial("udp", addr); return err }))
	buf := make([]byte, 64)
	for i := range n {
		began := time.Now()
		_, err := conn.Write([]byte{byte(i)})
		must(t, err)
		_ = conn.SetReadDeadline(began.Add(500 * time.Millisecond))
		for {
			if _, err = conn.Read(buf); err != nil || buf[0] == byte(i) {
				break // else one that came too late
			}
		}
		if err == nil {
			took = append(took, time.Since(began))
		}
		time.Sleep(5 * time.Millisecond)
	}
	_ = conn.Close()
	_ = echo.Close()
	<-done
	slices.Sort(took)
	return took
}
