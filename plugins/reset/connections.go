package reset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/network"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Connection names one TCP socket. The cookie is the kernel's own name of it and
// never given again (sock_diag(7)).
type Connection struct {
	Family uint8          `json:"family"`
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	Device uint32         `json:"device,omitempty"` // it is bound to
	Cookie [2]uint32      `json:"cookie"`
}

// States of sockets that hold a connection, include/net/tcp_states.h in the
// kernel: established, and closed by the peer alone.
const (
	established = 1
	closeWait   = 8
)

// held are the inodes of the sockets of the processes that are meant; nil: of all.
func (r Rule) held() (map[uint32]bool, error) {
	if r.Of == (scope.Selection{}) {
		return nil, nil
	}
	list, err := r.Of.List()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	pids := make([]int, 0, len(list))
	for _, p := range list {
		pids = append(pids, p.PID)
	}
	return network.HeldBy(pids), nil
}

// list lists the connections of the calling thread's network namespace, or only
// those whose inode is held.
func list(held map[uint32]bool) (out []Connection, err error) {
	sockets, err := network.Sockets(unix.IPPROTO_TCP)
	if err != nil {
		return nil, err
	}
	for _, s := range sockets {
		if s.State != established && s.State != closeWait || held != nil && !held[s.INode] {
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
			Family: s.Family, Device: s.ID.Interface, Cookie: s.ID.Cookie,
			Local: netip.AddrPortFrom(local, s.ID.SourcePort), Remote: netip.AddrPortFrom(remote, s.ID.DestinationPort),
		})
	}
	return out, nil
}

// destroy ends a connection as its peer's reset would: both ends get an error.
// gone is true if there is no such socket any more.
func (c Connection) destroy() (gone bool, err error) {
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

// probe asks the kernel for what destroy needs, through a socket that can't be.
func probe() error {
	nowhere := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 255, 255, 254}), 1)
	_, err := Connection{Family: unix.AF_INET, Local: nowhere, Remote: nowhere, Cookie: [2]uint32{1, 1 << 31}}.destroy()
	return err
}

func (c Connection) String() string { return c.Local.String() + " to " + c.Remote.String() }

// request is struct inet_diag_req_v2 of include/uapi/linux/inet_diag.h. The
// library's own destroys IPv4 sockets only and goes by addresses alone.
type request Connection

func (request) Len() int { return 56 }

func (r request) Serialize() []byte {
	b := make([]byte, 8, r.Len())
	b[0], b[1] = r.Family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], 1<<established|1<<closeWait)
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
