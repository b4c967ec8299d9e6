package linkdown

import (
	"bytes"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Saved is what the kernel throws away with a device that goes down, as the
// messages that bring it back.
type Saved struct {
	At         fault.BootTime `json:"at"` // lifetimes count from here
	Addresses  []Message      `json:"addresses,omitempty"`
	Routes     []Message      `json:"routes,omitempty"`
	Neighbours []Message      `json:"neighbours,omitempty"`
}

// Sizes of the fixed headers: struct ifaddrmsg, rtmsg and ndmsg of rtnetlink(7).
const (
	addressHeader   = 8
	routeHeader     = 12
	neighbourHeader = 12
)

// Offsets of fields in them.
const (
	addressIndex   = 4
	routeTable     = 4
	routeProtocol  = 5
	routeType      = 7
	routeFlags     = 8
	neighbourIndex = 4
	neighbourState = 8
	neighbourFlags = 10
)

func save(index int) (s Saved, err error) {
	s.At = fault.Now()
	if s.Addresses, err = addresses(index); err != nil {
		return s, err
	}
	if s.Routes, err = routes(index); err != nil {
		return s, err
	}
	s.Neighbours, err = neighbours(index)
	return s, err
}

// differs says what of two records is not the same. Order and lifetimes don't count.
func (s Saved) differs(o Saved) string {
	for what, pair := range map[string][2][]Message{
		"addresses":  {timeless(s.Addresses), timeless(o.Addresses)},
		"routes":     {untimed(s.Routes), untimed(o.Routes)},
		"neighbours": {s.Neighbours, o.Neighbours},
	} {
		if len(pair[0]) != len(pair[1]) || len(missing(pair[0], pair[1])) > 0 {
			return what
		}
	}
	return ""
}

// missing lists what of want is not in have.
func missing(want, have []Message) []Message {
	return slices.DeleteFunc(slices.Clone(want), func(w Message) bool {
		return slices.ContainsFunc(have, func(h Message) bool { return bytes.Equal(w, h) })
	})
}

// settable are the flags of an IPv6 address that are not the kernel's own doing.
const settable = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN | unix.IFA_F_OPTIMISTIC

// addresses lists the IPv6 addresses of a device: those of IPv4 stay.
func addresses(index int) (out []Message, err error) {
	all, err := dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, append([]byte{unix.AF_INET6}, make([]byte, addressHeader-1)...))
	for _, m := range all {
		if m[0] != unix.AF_INET6 || native.Uint32(m[addressIndex:]) != uint32(index) {
			continue
		}
		flags := m.number(addressHeader, unix.IFA_FLAGS)
		if flags&unix.IFA_F_TEMPORARY != 0 {
			continue // made anew by the kernel
		}
		m = m.without(addressHeader, unix.IFA_FLAGS).with(unix.IFA_FLAGS, flags&settable)
		m[2] = byte(flags & settable)
		out = append(out, m)
	}
	return out, err
}

func timeless(list []Message) (out []Message) {
	for _, m := range list {
		out = append(out, m.without(addressHeader, unix.IFA_CACHEINFO))
	}
	return out
}

// volatile are flags of a hop that follow the device: dead, offload, linkdown,
// unresolved, trap.
const volatile = unix.RTNH_F_DEAD | unix.RTNH_F_OFFLOAD | unix.RTNH_F_LINKDOWN | unix.RTNH_F_UNRESOLVED | 0x40

// rtaExpires says in s how long a route is good, include/uapi/linux/rtnetlink.h.
const rtaExpires = unix.RTA_EXPIRES

// routes lists the routes through a device, those with other hops too. Left out
// are the local tables' entries that the kernel makes of addresses.
func routes(index int) (out []Message, err error) {
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		all, err := dump(unix.RTM_GETROUTE, unix.RTM_NEWROUTE, append([]byte{family}, make([]byte, routeHeader-1)...))
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			flags := native.Uint32(m[routeFlags:])
			if m[0] != family || flags&unix.RTM_F_CLONED != 0 || !m.through(index) {
				continue
			}
			if m[routeProtocol] == unix.RTPROT_KERNEL && (m[routeTable] == unix.RT_TABLE_LOCAL || m[routeType] == unix.RTN_MULTICAST) {
				continue
			}
			native.PutUint32(m[routeFlags:], flags&0xff&^volatile)
			out = append(out, m.lasting())
		}
	}
	return out, nil
}

// through says whether a route goes through the device, and clears what follows
// the device's state in the flags of its hops.
func (m Message) through(index int) bool {
	found := m.number(routeHeader, unix.RTA_OIF) == uint32(index)
	for b := m.value(routeHeader, unix.RTA_MULTIPATH); len(b) >= unix.SizeofRtNexthop; {
		b[2] &^= volatile
		found = found || native.Uint32(b[4:]) == uint32(index)
		n := (int(native.Uint16(b)) + 3) &^ 3
		b = b[min(max(n, unix.SizeofRtNexthop), len(b)):]
	}
	return found
}

// lasting turns the rest of a route's life, which the kernel tells in hundredths
// of a second, into what it is set by, in seconds.
func (m Message) lasting() Message {
	const expires = 8 // offset in struct rta_cacheinfo
	rest := m.value(routeHeader, unix.RTA_CACHEINFO)
	out := m.without(routeHeader, unix.RTA_CACHEINFO, rtaExpires)
	if m[0] == unix.AF_INET6 && len(rest) >= expires+4 && int32(native.Uint32(rest[expires:])) > 0 {
		out = out.with(rtaExpires, native.Uint32(rest[expires:])/100)
	}
	return out
}

func untimed(list []Message) (out []Message) {
	for _, m := range list {
		out = append(out, m.without(routeHeader, rtaExpires))
	}
	return out
}

// neighbours lists the permanent neighbours and the proxies of a device.
func neighbours(index int) (out []Message, err error) {
	for _, flags := range []byte{0, unix.NTF_PROXY} {
		header := make([]byte, neighbourHeader)
		header[neighbourFlags] = flags
		all, err := dump(unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, header)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			ip := m[0] == unix.AF_INET || m[0] == unix.AF_INET6
			ours := native.Uint32(m[neighbourIndex:]) == uint32(index)
			lasting := native.Uint16(m[neighbourState:])&unix.NUD_PERMANENT != 0 || m[neighbourFlags]&unix.NTF_PROXY != 0
			if ip && ours && lasting {
				out = append(out, m.without(neighbourHeader, unix.NDA_CACHEINFO, unix.NDA_PROBES))
			}
		}
	}
	return out, nil
}
