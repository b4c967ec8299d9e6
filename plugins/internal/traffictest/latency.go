package traffictest

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Latencies sends n datagrams, 5 ms apart, and returns how long each was on its
// way, the shortest first: from just before it was sent to when the receiving
// kernel took it in (SO_TIMESTAMPNS, socket(7)), so that it does not matter when a
// busy machine lets the receiver run. What takes longer than half a second is lost.
func Latencies(t testing.TB, from, at *netns.NS, to string, n int) (took []time.Duration) {
	t.Helper()
	const port = 5007
	var in, out int
	addr := netip.MustParseAddr(to)
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: port, Addr: addr.As16()})
	if addr.Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: port, Addr: addr.As4()}
	}
	open := func(fd *int) func() error {
		return func() (err error) {
			*fd, err = unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
			return err
		}
	}
	faulttest.Must(t, at.Do(open(&in)))
	defer unix.Close(in)
	faulttest.Must(t, from.Do(open(&out)))
	defer unix.Close(out)
	faulttest.Must(t, unix.SetsockoptInt(in, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1))
	faulttest.Must(t, unix.SetsockoptTimeval(in, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 500_000}))
	faulttest.Must(t, unix.Bind(in, sa))
	for range n {
		faulttest.Must(t, unix.Sendto(out, binary.NativeEndian.AppendUint64(nil, uint64(time.Now().UnixNano())), 0, sa))
		time.Sleep(5 * time.Millisecond)
	}
	buf, oob := make([]byte, 8), make([]byte, 128)
	for len(took) < n {
		_, m, _, _, err := unix.Recvmsg(in, buf, oob, 0)
		if err != nil {
			break
		}
		took = append(took, arrival(t, oob[:m]).Sub(time.Unix(0, int64(binary.NativeEndian.Uint64(buf)))))
	}
	slices.Sort(took)
	return took
}

func arrival(t testing.TB, oob []byte) time.Time {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(oob)
	faulttest.Must(t, err)
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	t.Fatal("a datagram came without a time")
	return time.Time{}
}
