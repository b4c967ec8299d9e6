package filesystem

import (
	"math"
	"regexp"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// AmountForm is the pattern of an amount, for schemas.
const AmountForm = `^[0-9]+([.][0-9]+)?(%|[kMGT]B|[KMGT]iB)$`

var amountForm = regexp.MustCompile(`^([0-9]+(?:[.][0-9]+)?)(%|[kMGT]B|[KMGT]iB)$`)

var units = map[string]float64{
	"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// Amount is what a parameter like 10% or 500MB means of whole.
func Amount(field, s string, whole uint64) (uint64, error) {
	m := amountForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fault.Refuse(field, "%q is no amount of space; write it like 10%%, 500MB or 2GiB", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit := units[m[2]]
	if m[2] == "%" {
		unit = float64(whole) / 100
	}
	if n *= unit; err != nil || n > float64(whole) || n > math.MaxInt64/2 {
		return 0, fault.Refuse(field, "%q is more than the file system has, %s; give less", s, Size(whole))
	}
	return uint64(n), nil
}

// Size writes bytes for people.
func Size(n uint64) string {
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
}
