package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Socket is one socket of the Internet protocols.
type Socket struct {
	*netlink.Socket
	Protocol uint32 // IPPROTO_TCP or IPPROTO_UDP
}

// dumps list the sockets of a protocol.
var dumps = map[uint32]func(family uint8) ([]*netlink.Socket, error){
	unix.IPPROTO_TCP: netlink.SocketDiagTCP,
	unix.IPPROTO_UDP: netlink.SocketDiagUDP,
}

// Sockets lists the sockets of both families in the calling thread's network
// namespace (sock_diag(7)).
func Sockets(protocols ...uint32) (out []Socket, err error) {
	for _, protocol := range protocols {
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := dump(protocol, family)
			if err != nil {
				return nil, err
			}
			for _, s := range sockets {
				out = append(out, Socket{s, protocol})
			}
		}
	}
	return out, nil
}

// dump asks again when sockets came and went while the kernel listed them.
func dump(protocol uint32, family uint8) (sockets []*netlink.Socket, err error) {
	for range 5 {
		sockets, err = dumps[protocol](family)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, fmt.Errorf("%w: the kernel does not list sockets (CONFIG_INET_DIAG, modules tcp_diag and udp_diag)", fault.ErrUnsupported)
	}
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // what is missing now is seen next time
		return nil, fmt.Errorf("list sockets: %w", err)
	}
	return sockets, nil
}

// SSHD is the port of the operator's way in (RFC 4251, 4).
const SSHD = 22

// Logins are the peers that are connected to sshd in the calling thread's network
// namespace.
func Logins() (peers []netip.AddrPort, err error) {
	sockets, err := Sockets(unix.IPPROTO_TCP)
	for _, s := range sockets {
		if addr, ok := netip.AddrFromSlice(s.ID.Destination); ok && s.ID.SourcePort == SSHD && s.ID.DestinationPort != 0 {
			peers = append(peers, netip.AddrPortFrom(addr.Unmap(), s.ID.DestinationPort))
		}
	}
	return peers, err
}

// HeldBy are the inodes of the sockets that processes have open, as sockets of a
// list have them (proc_pid_fd(5)). A process that has ended holds none.
func HeldBy(pids []int) map[uint32]bool {
	held := map[uint32]bool{}
	for _, pid := range pids {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid)) // the pattern is right
		for _, f := range files {
			to, _ := os.Readlink(f)
			if inode, ok := strings.CutPrefix(to, "socket:["); ok {
				n, _ := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 32)
				held[uint32(n)] = true
			}
		}
	}
	return held
}
