// Package peers reads the parameters by which network faults choose: addresses,
// prefixes and ports.
package peers

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Range is a range of ports, both ends included.
type Range struct {
	Lo uint16 `json:"lo"`
	Hi uint16 `json:"hi"`
}

// Prefixes reads addresses and CIDRs; what is neither is refused with its place
// in field.
func Prefixes(field string, list []string) (out []netip.Prefix, err error) {
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

// Ports reads ports and ranges of ports; what is neither is refused with its
// place in the parameter ports.
func Ports(list []string) (out []Range, err error) {
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
