package traffictest

import (
	"net"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Exchange sends n datagrams with this payload and gives each that arrives to got;
// it returns how many did.
func Exchange(t testing.TB, from, at *netns.NS, to netip.AddrPort, n int, payload []byte, got func([]byte)) (arrived int) {
	t.Helper()
	var conn *net.UDPConn
	faulttest.Must(t, at.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(to))
		return err
	}))
	defer conn.Close()
	raw, err := conn.SyscallConn()
	faulttest.Must(t, err)
	faulttest.Must(t, raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20) }))
	faulttest.Must(t, err)
	faulttest.Must(t, from.Do(func() error { return send(to, n, payload) }))
	buf := make([]byte, 1<<16)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		size, err := conn.Read(buf)
		if err != nil {
			return arrived
		}
		arrived++
		got(buf[:size])
	}
}

// ChecksumOffload switches the device's computing of checksums on or off
// (ETHTOOL_STXCSUM of linux/ethtool.h); without it packets carry them already.
func ChecksumOffload(t testing.TB, ns *netns.NS, on bool) {
	t.Helper()
	const ethtoolSetTxCsum = 0x17
	value := struct{ cmd, data uint32 }{cmd: ethtoolSetTxCsum}
	if on {
		value.data = 1
	}
	faulttest.Must(t, ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		var request struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}
		copy(request.name[:], "eth0")
		request.data = unsafe.Pointer(&value)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	}))
}
