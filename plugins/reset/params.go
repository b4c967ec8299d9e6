package reset

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/rounds"
)

// Params is what an experiment file may set. At least one of to, from and ports
// must be given; a connection is reset if all that are given match it.
type Params struct {
	To    []string `json:"to,omitempty" jsonschema:"minItems=1,description=Peers whose connections are reset: addresses or CIDRs; in an experiment also site:NAME\\, rack:NAME\\, role:NAME or host:NAME" jsonschema_extras:"format=peers"`
	From  []string `json:"from,omitempty" jsonschema:"minItems=1,description=Only connections of these addresses of the host itself" jsonschema_extras:"format=peers"`
	Ports []string `json:"ports,omitempty" jsonschema:"minItems=1,description=Only connections with one of these ports\\, of the peer or of the host: 5432 or 6000-6010"`
	Every string   `json:"every,omitempty" jsonschema:"pattern=^([0-9]+([.][0-9]+)?(ms|s|m|h))+$,title=a duration,example=5s,description=Reset again and again at this interval\\, what was connected anew too (default: once)"`
}

// Rule is what Params mean, checked.
type Rule struct {
	To    []netip.Prefix `json:"to,omitempty"` // none: all
	From  []netip.Prefix `json:"from,omitempty"`
	Ports []Range        `json:"ports,omitempty"`
}

// Range is a range of ports, both ends included.
type Range struct {
	Lo uint16 `json:"lo"`
	Hi uint16 `json:"hi"`
}

// leastEvery keeps a repetition from eating a CPU by itself.
const leastEvery = 100 * time.Millisecond

func (p Params) parse() (r Rule, every time.Duration, err error) {
	if len(p.To)+len(p.From)+len(p.Ports) == 0 {
		return r, 0, fault.Refuse("to", "neither to, from nor ports are given; name peers, 0.0.0.0/0 and ::/0 for everybody")
	}
	if r.To, err = prefixes("to", p.To); err != nil {
		return r, 0, err
	}
	if r.From, err = prefixes("from", p.From); err != nil {
		return r, 0, err
	}
	if r.Ports, err = ports(p.Ports); err != nil {
		return r, 0, err
	}
	every, err = rounds.ParseEvery(p.Every, leastEvery)
	return r, every, err
}

func prefixes(field string, list []string) (out []netip.Prefix, err error) {
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

func ports(list []string) (out []Range, err error) {
	for i, s := range list {
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

// matches says whether the rule means c.
func (r Rule) matches(c Connection) bool {
	return (len(r.To) == 0 || within(r.To, c.Remote.Addr())) &&
		(len(r.From) == 0 || within(r.From, c.Local.Addr())) &&
		(len(r.Ports) == 0 || inRange(r.Ports, c.Remote.Port()) || inRange(r.Ports, c.Local.Port()))
}

func within(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

func inRange(list []Range, port uint16) bool {
	for _, r := range list {
		if r.Lo <= port && port <= r.Hi {
			return true
		}
	}
	return false
}
