package traffic

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/bpf"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/peers"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// MaxPeers is the most prefixes one injection takes. Its change record, which
// the agent journals, grows with them: about 20 bytes each.
const MaxPeers = 65536

// Selection is the part of a network fault's parameters that says which packets
// it is about. Faults embed it, so that all of them select alike.
type Selection struct {
	scope.Scope
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

// Rule is what a Selection means, checked.
type Rule struct {
	To        []netip.Prefix `json:"to"`
	From      []netip.Prefix `json:"from,omitempty"`
	Direction uint32         `json:"direction"`          // bpf.In | bpf.Out
	Protocol  uint32         `json:"protocol,omitempty"` // IPPROTO_*, 0: any
	Ports     []peers.Range  `json:"ports,omitempty"`
	// Group is the one whose packets it is about, of cgroup v2; nil: everybody's.
	Group *group.Group `json:"group,omitempty"`
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
	if r.To, err = peers.Prefixes("to", s.To); err != nil {
		return r, err
	}
	if r.From, err = peers.Prefixes("from", s.From); err != nil {
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

func ports(p Selection) ([]peers.Range, error) {
	if len(p.Ports) == 0 {
		return nil, nil
	}
	if p.Protocol == "icmp" {
		return nil, fault.Refuse("ports", "icmp has no ports; leave out ports or protocol")
	}
	if len(p.Ports) > bpf.Ranges {
		return nil, fault.Refuse("ports", "%d ranges given, at most %d fit in one rule; use several faults", len(p.Ports), bpf.Ranges)
	}
	return peers.Ports(p.Ports)
}
