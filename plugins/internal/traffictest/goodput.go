package traffictest

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Stream is a TCP connection whose writer writes, and whose reader reads, as much
// as there is.
type Stream struct {
	out, in net.Conn
	got     atomic.Int64
	done    chan struct{}
}

// Open opens a stream. The caller must Close it.
func Open(t testing.TB, from, at *netns.NS, to string) *Stream {
	t.Helper()
	var l net.Listener
	s := &Stream{done: make(chan struct{}, 2)}
	addr := net.JoinHostPort(to, "7001")
	faulttest.Must(t, at.Do(func() (err error) { l, err = net.Listen("tcp", addr); return err }))
	defer l.Close()
	faulttest.Must(t, from.Do(func() (err error) { s.out, err = net.DialTimeout("tcp", addr, 5*time.Second); return err }))
	var err error
	s.in, err = l.Accept()
	faulttest.Must(t, err)
	go s.write()
	go s.read()
	return s
}

func (s *Stream) write() {
	defer func() { s.done <- struct{}{} }()
	buf := make([]byte, 1<<16)
	for {
		if _, err := s.out.Write(buf); err != nil {
			return
		}
	}
}

func (s *Stream) read() {
	defer func() { s.done <- struct{}{} }()
	buf := make([]byte, 1<<18)
	for {
		n, err := s.in.Read(buf)
		s.got.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// Rate is what the reader gets over so long, in bit/s.
func (s *Stream) Rate(over time.Duration) float64 {
	began, before := time.Now(), s.got.Load()
	time.Sleep(over)
	return 8 * float64(s.got.Load()-before) / time.Since(began).Seconds()
}

// Close ends the stream and waits for both of its ends.
func (s *Stream) Close() {
	_ = s.out.Close()
	_ = s.in.Close()
	<-s.done
	<-s.done
}

// Goodput sends a TCP stream and returns what its receiver reads of it, in bit/s
// over so long, after a while to get up to speed.
func Goodput(t testing.TB, from, at *netns.NS, to string, over time.Duration) float64 {
	t.Helper()
	s := Open(t, from, at, to)
	defer s.Close()
	time.Sleep(700 * time.Millisecond)
	return s.Rate(over)
}
