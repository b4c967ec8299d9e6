// Package connection lists the TCP connections of a network namespace and ends
// them through the kernel (sock_diag(7)).
package connection

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
)

// Connection names one TCP socket. The cookie is the kernel's own name of it and
// never given again (sock_diag(7)).
type Connection struct {
	Family uint8          `json:"family"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	Device uint32         `json:"device,omitempty"` // it is bound to
	Cookie [2]uint32      `json:"cookie"`
	// Inode is that of the socket's file, by which the processes that have it
	// are found; 0 if no process has it.
	Inode uint32 `json:"inode,omitempty"`
}

// State is a state of a TCP socket, include/net/tcp_states.h in the kernel.
type State uint8

// States.
const (
	Established State = 1
	CloseWait   State = 8 // closed by the peer alone
	Listen      State = 10
)

// List lists the connections of the calling thread's network namespace whose
// sockets are in a state that want picks.
func List(want func(State) bool) (out []Connection, err error) {
	sockets, err := network.Sockets(unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	for _, s := range sockets {
		if !want(State(s.State)) {
			continue
		}
		local, ok1 := netip.AddrFromSlice(s.ID.Source)
		remote, ok2 := netip.AddrFromSlice(s.ID.Destination)
		if !ok1 || !ok2 {
			continue // neither IPv4 nor IPv6
		}
		if s.Family == unix.AF_INET { // the library makes 16 bytes of 4
			local, remote = local.Unmap(), remote.Unmap()
		}
		out = append(out, Connection{
			Family: s.Family, Device: s.ID.Interface, Cookie: s.ID.Cookie, Inode: s.INode,
			Local: netip.AddrPortFrom(local, s.ID.SourcePort), Remote: netip.AddrPortFrom(remote, s.ID.DestinationPort),
		})
	}
	return out, nil
}

// Destroy ends a connection as its peer's reset would: both ends get an error.
// gone is true if there is no such socket any more.
func (c Connection) Destroy() (gone bool, err error) {
	req := nl.NewNetlinkRequest(nl.SOCK_DESTROY, unix.NLM_F_ACK)
	req.AddData(request(c))
	_, err = req.Execute(unix.NETLINK_INET_DIAG, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return true, nil
	case errors.Is(err, unix.EOPNOTSUPP):
		return false, fmt.Errorf("%w: the kernel can't destroy sockets (CONFIG_INET_DIAG_DESTROY)", fault.ErrUnsupported)
	case err != nil:
		return false, fmt.Errorf("reset %s: %w", c, err)
	}
	return false, nil
}

// Probe asks the kernel for what Destroy needs, through a socket that can't be.
func Probe() error {
	nowhere := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 255, 255, 254}), 1)
	_, err := Connection{Family: unix.AF_INET, Local: nowhere, Remote: nowhere, Cookie: [2]uint32{1, 1 << 31}}.Destroy()
	return err
}

func (c Connection) String() string { return c.Local.String() + " to " + c.Remote.String() }

// anyState: the cookie names the socket whatever its state.
const anyState = ^uint32(0)

// request is struct inet_diag_req_v2 of include/uapi/linux/inet_diag.h. The
// library's own destroys IPv4 sockets only and goes by addresses alone.
type request Connection

func (request) Len() int { return 56 }

func (r request) Serialize() []byte {
	b := make([]byte, 8, r.Len())
	b[0], b[1] = r.Family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], anyState)
	b = binary.BigEndian.AppendUint16(b, r.Local.Port())
	b = binary.BigEndian.AppendUint16(b, r.Remote.Port())
	for _, a := range []netip.Addr{r.Local.Addr(), r.Remote.Addr()} {
		var field [16]byte
		copy(field[:], a.AsSlice())
		b = append(b, field[:]...)
	}
	for _, n := range []uint32{r.Device, r.Cookie[0], r.Cookie[1]} {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return b
}
