package inventory

import (
	"fmt"
	"math"
	"regexp"
	"strconv"

	"github.com/invopop/jsonschema"
)

// Rate is how much a line carries, in bits per second, written like 300kbit,
// 1.5mbit, 1gbit: a thousand, a million, a thousand million bits.
type Rate uint64

// The least and the most that a line may carry: a full packet in 1.5 s, and
// far more than a lab can move.
const (
	minRate Rate = 8_000
	maxRate Rate = 100_000_000_000
)

const ratePattern = `^[0-9]+(\.[0-9]+)?(kbit|mbit|gbit)$`

var (
	rateForm  = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(kbit|mbit|gbit)$`)
	rateUnits = []struct {
		name string
		bits float64
	}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}}
)

// ParseRate reads a rate from 8kbit to 100gbit. It has a unit, always.
func ParseRate(s string) (Rate, error) {
	parts := rateForm.FindStringSubmatch(s)
	if parts == nil {
		return 0, fmt.Errorf("%q is not a rate: write 300kbit, 2mbit or 1gbit", s)
	}
	v, err := strconv.ParseFloat(parts[1], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a rate: %w", s, err)
	}
	for _, u := range rateUnits {
		if u.name == parts[2] {
			v *= u.bits
		}
	}
	if v = math.Round(v); v < float64(minRate) || v > float64(maxRate) {
		return 0, fmt.Errorf("%q is not a rate from %s to %s", s, minRate, maxRate)
	}
	return Rate(v), nil
}

// String writes the rate in the largest unit that it has one of: 1.5mbit.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if float64(r) >= u.bits || u.name == "kbit" {
			return strconv.FormatFloat(float64(r)/u.bits, 'f', -1, 64) + u.name
		}
	}
	return ""
}

// MarshalText writes what UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads 2mbit.
func (r *Rate) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRate(string(b))
	return err
}

// JSONSchema describes the text form.
func (Rate) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Format: "rate", Title: fmt.Sprintf("a rate with its unit, from %s to %s", minRate, maxRate),
		Pattern: ratePattern, Examples: []any{"300kbit", "2mbit", "1gbit"},
	}
}
