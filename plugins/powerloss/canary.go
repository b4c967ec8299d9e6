package powerloss

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/power"
)

// canary asks a host for its hardware address, over and over, from the far end
// of its cable: an ARP probe (RFC 5227), answered by the host's kernel whatever
// its processes do, and noted by nobody. It meters darkness by what gets
// through, not by what was asked.
type canary struct {
	fd    int
	host  netip.Addr
	probe []byte
	to    unix.SockaddrLinklayer
}

// answerTime is how long an answer may take; over a cable on one machine it
// takes some 20 µs, and a busy machine delays it.
const answerTime = 20 * time.Millisecond

// answers says whether the host answers at least one of three canaries. A host
// without an IPv4 address or whose cable is gone does not.
func answers(s power.Status) (bool, error) {
	f, err := openFabric(s)
	if err != nil {
		return false, err
	}
	defer f.close()
	cable, err := f.cable(s)
	if err != nil {
		return false, err
	}
	c, err := newCanary(cable, s)
	if err != nil || c == nil {
		return false, err
	}
	for range 3 {
		if c.answered(answerTime) {
			return true, nil
		}
	}
	return false, nil
}

// newCanary returns nil if there is no cable, or nobody to ask at its end.
func newCanary(cable *cable, s power.Status) (*canary, error) {
	addr, err := netip.ParseAddr(s.Address)
	if err != nil || !addr.Is4() || cable.link == nil {
		return nil, nil // IPv6 only: the meter has nothing to say
	}
	fd, err := cable.fabric.packetSocket()
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	c := &canary{fd: fd, host: addr, probe: arpProbe(cable.link.Attrs().HardwareAddr, addr)}
	c.to = unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ARP), Ifindex: s.VethIndex, Halen: 6}
	copy(c.to.Addr[:], broadcast)
	return c, nil
}

// packetSocket is one for all hosts: the kernel takes some 10 ms to close one.
func (f *fabric) packetSocket() (int, error) {
	if f.packets >= 0 {
		return f.packets, nil
	}
	err := f.ns.Do(func() (err error) {
		f.packets, err = openPacket()
		return err
	})
	return f.packets, err
}

// openPacket opens a socket that sees all ARP packets coming in over a cable.
// It asks for all protocols, because a bridge takes the others' packets first.
func openPacket() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	arpOnly := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 12},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.ETH_P_ARP, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 64},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	err = errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(arpOnly)), Filter: &arpOnly[0]}),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL)}),
	)
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

var broadcast = []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// arpProbe is the frame that asks who has host; the sender's own address stays
// empty, so that nobody learns it.
func arpProbe(from []byte, host netip.Addr) []byte {
	frame := bytes.Join([][]byte{
		broadcast, from, {0x08, 0x06}, // Ethernet: to all, ARP
		{0, 1, 8, 0, 6, 4, 0, 1}, // Ethernet and IPv4, request
		from, {0, 0, 0, 0}, make([]byte, 6), host.AsSlice(),
	}, nil)
	return append(frame, make([]byte, 60-len(frame))...) // shortest frame
}

// answered sends one canary and waits for its answer.
func (c *canary) answered(wait time.Duration) bool {
	if err := unix.Sendto(c.fd, c.probe, 0, &c.to); err != nil {
		return false // the cable is down or gone
	}
	buf := make([]byte, 64)
	for end := time.Now().Add(wait); ; {
		n, from, err := unix.Recvfrom(c.fd, buf, 0)
		if err == nil && c.isAnswer(buf[:n], from) {
			return true
		}
		left := time.Until(end)
		if left <= 0 || err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return false
		}
		if errors.Is(err, unix.EAGAIN) {
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		}
	}
}

// isAnswer: an ARP reply (operation 2) whose sender is the host, over its cable.
func (c *canary) isAnswer(frame []byte, from unix.Sockaddr) bool {
	over, ok := from.(*unix.SockaddrLinklayer)
	return ok && over.Ifindex == c.to.Ifindex &&
		len(frame) >= 42 && frame[21] == 2 && bytes.Equal(frame[28:32], c.host.AsSlice())
}
