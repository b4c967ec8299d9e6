package bandwidth

import (
	"regexp"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

var (
	rateForm = regexp.MustCompile(`^([0-9]+(?:[.][0-9]+)?)(kbit|mbit|gbit)$`)
	units    = map[string]float64{"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
)

// What a rate may be, in bit/s.
const (
	leastRate = 8_000
	mostRate  = 100_000_000_000
)

// parseRate reads a rate such as 10mbit as bit/s.
func parseRate(s string) (uint64, error) {
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fault.Refuse("rate", "%q is no rate; write it like 300kbit, 10mbit or 1gbit", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if bits := n * units[m[2]]; err == nil && bits >= leastRate && bits <= mostRate {
		return uint64(bits), nil
	}
	return 0, fault.Refuse("rate", "%q is not between 8kbit and 100gbit", s)
}
