package traffic

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
)

// MaxPeers is the most prefixes one injection takes. Its change record, which
// the agent journals, grows with them: about 20 bytes each.
const MaxPeers = 65536

// Selection is the part of a network fault's parameters that says which packets
// it is about. Faults embed it, so that all of them select alike.
type Selection struct {
	// To are the peers.
	To []string `json:"to" jsonschema:"minItems=1,description=Peers that it is about: addresses or CIDRs; in an experiment also site:NAME\\, rack:NAME\\, role:NAME or host:NAME" jsonschema_extras:"format=peers"`
	// From limits it to packets of these addresses of the host itself.
	From []string `json:"from,omitempty" jsonschema:"description=Only packets of these addresses of the host itself (default: all)" jsonschema_extras:"format=peers"`
	// Direction as seen from the host.
	Direction string `json:"direction,omitempty" jsonschema:"enum=in,enum=out,enum=both,default=both,description=As seen from the host"`
	// Protocol limits it to one protocol.
	Protocol string `json:"protocol,omitempty" jsonschema:"enum=tcp,enum=udp,enum=icmp,description=Only this protocol (default: all of IP)"`
	// Ports limits it to these ports, of the peer or of the host.
	Ports []string `json:"ports,omitempty" jsonschema:"maxItems=4,description=Only these ports\\, of the peer or of the host: 5432 or 6000-6010; needs protocol tcp or udp or none of it"`
	// Devices default to all but the loopback.
	Devices []string `json:"devices,omitempty" jsonschema:"description=Network devices (default: all but loopback)"`
}

// Range is a range of ports, both ends included.
type Range struct {
	Lo uint16 `json:"lo"`
	Hi uint16 `json:"hi"`
}

// Rule is what a Selection means, checked.
type Rule struct {
	To        []netip.Prefix `json:"to"`
	From      []netip.Prefix `json:"from,omitempty"`
	Direction uint32         `json:"direction"`          // bpf.In | bpf.Out
	Protocol  uint32         `json:"protocol,omitempty"` // IPPROTO_*, 0: any
	Ports     []Range        `json:"ports,omitempty"`
}

// Rule checks all parameters; the error names the field.
func (s Selection) Rule() (Rule, error) {
	var r Rule
	var err error
	if len(s.To) == 0 {
		return r, fault.Refuse("to", "no peers given; name addresses or CIDRs, 0.0.0.0/0 and ::/0 for everybody")
	}
	if len(s.To) > MaxPeers {
		return r, fault.Refuse("to", "%d peers given, at most %d fit in one injection; use wider CIDRs or several faults", len(s.To), MaxPeers)
	}
	if r.To, err = prefixes("to", s.To); err != nil {
		return r, err
	}
	if r.From, err = prefixes("from", s.From); err != nil {
		return r, err
	}
	switch s.Direction {
	case "", "both":
		r.Direction = bpf.In | bpf.Out
	case "in":
		r.Direction = bpf.In
	case "out":
		r.Direction = bpf.Out
	default:
		return r, fault.Refuse("direction", "%q is not one of in, out, both", s.Direction)
	}
	switch s.Protocol {
	case "":
	case "tcp":
		r.Protocol = unix.IPPROTO_TCP
	case "udp":
		r.Protocol = unix.IPPROTO_UDP
	case "icmp":
		r.Protocol = unix.IPPROTO_ICMP
	default:
		return r, fault.Refuse("protocol", "%q is not one of tcp, udp, icmp", s.Protocol)
	}
	r.Ports, err = ports(s)
	return r, err
}

func prefixes(field string, list []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(list))
	for i, s := range list {
		pre, err := netip.ParsePrefix(s)
		if err != nil {
			addr, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fault.Refuse(fmt.Sprintf("%s[%d]", field, i), "%q is neither an address nor a CIDR such as 10.0.0.0/8", s)
			}
			pre = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, pre.Masked())
	}
	return out, nil
}

func ports(p Selection) ([]Range, error) {
	if len(p.Ports) == 0 {
		return nil, nil
	}
	if p.Protocol == "icmp" {
		return nil, fault.Refuse("ports", "icmp has no ports; leave out ports or protocol")
	}
	if len(p.Ports) > bpf.Ranges {
		return nil, fault.Refuse("ports", "%d ranges given, at most %d fit in one rule; use several faults", len(p.Ports), bpf.Ranges)
	}
	out := make([]Range, 0, len(p.Ports))
	for i, s := range p.Ports {
		lo, hi, isRange := strings.Cut(s, "-")
		if !isRange {
			hi = lo
		}
		l, err1 := strconv.ParseUint(lo, 10, 16)
		h, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || l == 0 || l > h {
			return nil, fault.Refuse(fmt.Sprintf("ports[%d]", i), "%q is neither a port from 1 to 65535 nor a range such as 6000-6010", s)
		}
		out = append(out, Range{uint16(l), uint16(h)})
	}
	return out, nil
}
