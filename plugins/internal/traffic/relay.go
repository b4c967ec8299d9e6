package traffic

import (
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// Where the kernel has no queue for a fault, a program of ours takes the packets
// from the far end of the pair and gives them back there (packet(7)). It must
// vouch for itself all the time: a dead one would cut off whom it should only
// hold up. So the table asks for a sign of life, and packets go their own way
// when there is none.
const (
	// SignEvery is how often a relay vouches for itself.
	SignEvery = 50 * time.Millisecond
	// signHolds is for how long: so soon packets flow again after its death.
	signHolds = 300 * time.Millisecond
)

// Relay is one end of the program's: where it takes the packets of one pair.
type Relay struct {
	// Socket gives frames with a struct virtio_net_hdr before each, and takes them.
	Socket int
	alive  *ebpf.Map
	slot   uint32
}

// Relays opens a relay for each pair of c, which is applied.
func (s *Space) Relays(c Change) (out []Relay, err error) {
	for _, d := range c.Devices {
		link, err := linkOf(s.Link, d)
		if err != nil {
			return out, err
		}
		t, err := findTable(s.Link, link)
		if err != nil || t == nil {
			return out, fmt.Errorf("find table of %s: %w", d.Name, err)
		}
		defer t.Close()
		slot, held, err := t.slotOf(c.Owner)
		if err != nil || !held {
			return out, fmt.Errorf("find slot of %s: %w", d.Name, err)
		}
		for _, w := range d.Ways {
			r, err := s.relay(t, slot, w)
			if err != nil {
				return out, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

func (s *Space) relay(t *table, slot uint32, w Way) (r Relay, err error) {
	far, err := s.Link.LinkByName(w.Far)
	if err != nil {
		return r, fmt.Errorf("find %s: %w", w.Far, err)
	}
	err = s.NS.Do(func() error {
		r.Socket, err = packetSocket(far.Attrs().Index)
		return err
	})
	if err != nil {
		return r, fmt.Errorf("open packet socket on %s: %w", w.Far, err)
	}
	r.slot = slot
	if r.alive, err = t.maps[bpf.CutMapFdAlive].Clone(); err != nil {
		_ = unix.Close(r.Socket)
		return r, fmt.Errorf("keep map of signs: %w", err)
	}
	return r, nil
}

// packetSocket takes frames that arrive on a device and those only.
func packetSocket(device int) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	const room = 32 << 20
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1},
		{unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room},
		{unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, room},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			_ = unix.Close(fd)
			return -1, err
		}
	}
	// Marks come along from kernel 5.19 on.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVMARK, 1)
	const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8 // in network byte order
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all & 0xffff, Ifindex: device}); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Sign vouches for the relay.
func (r Relay) Sign() error {
	if err := r.alive.Put(r.slot, uint64(fault.Now().Add(signHolds))); err != nil {
		return fmt.Errorf("give a sign of life: %w", err)
	}
	return nil
}

// Close lets go of the relay; packets go their own way soon after.
func (r Relay) Close() {
	_ = unix.Close(r.Socket)
	_ = r.alive.Close()
}

// alive says whether the relay of slot has vouched for itself of late.
func (t *table) alive(slot uint32) (bool, error) {
	var until uint64
	if err := t.maps[bpf.CutMapFdAlive].Lookup(slot, &until); err != nil {
		return false, fmt.Errorf("read signs of life: %w", err)
	}
	return until >= uint64(fault.Now()), nil
}

// MarkOf finds the mark of a packet in what was received beside it; 0 if none.
func MarkOf(oob []byte) uint32 {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_MARK && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data)
		}
	}
	return 0
}

// WithMark is what to send beside a packet so that it has a mark.
func WithMark(mark uint32) []byte {
	if mark == 0 {
		return nil
	}
	oob := make([]byte, unix.CmsgSpace(4))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.SOL_SOCKET, unix.SO_MARK
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(oob[unix.CmsgLen(0):], mark)
	return oob
}

// CameBack counts the packets that came back over all pairs of c.
func (s *Space) CameBack(c Change) (n uint64, err error) {
	for _, d := range c.Devices {
		for _, w := range d.Ways {
			b, err := c.back(s.Link, w)
			if err != nil {
				return n, err
			}
			n += b.Packets
		}
	}
	return n, nil
}
