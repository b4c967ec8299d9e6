package traffictest

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
)

// Goodput sends a TCP stream and returns what its receiver reads of it, in bit/s
// over so long, after a while to get up to speed.
func Goodput(t testing.TB, from, at *netns.NS, to string, over time.Duration) float64 {
	t.Helper()
	var l net.Listener
	var out net.Conn
	addr := net.JoinHostPort(to, "7001")
	must(t, at.Do(func() (err error) { l, err = net.Listen("tcp", addr); return err }))
	defer l.Close()
	must(t, from.Do(func() (err error) { out, err = net.DialTimeout("tcp", addr, 5*time.Second); return err }))
	in, err := l.Accept()
	must(t, err)
	var got atomic.Int64
	done := make(chan struct{}, 2)
	go func() {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 1<<16)
		for {
			if _, err := out.Write(buf); err != nil {
				return
			}
		}
	}()
	go func() {
		defer func() { done <- struct{}{} }()
		buf := make([]byte, 1<<18)
		for {
			n, err := in.Read(buf)
			got.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	time.Sleep(700 * time.Millisecond)
	began, before := time.Now(), got.Load()
	time.Sleep(over)
	rate := 8 * float64(got.Load()-before) / time.Since(began).Seconds()
	_ = out.Close()
	_ = in.Close()
	<-done
	<-done
	return rate
}
