package memory

import (
	"math"
	"os"
	"regexp"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

var amountForm = regexp.MustCompile(`^([0-9]+(?:[.][0-9]+)?)(KiB|MiB|GiB)$`)

var units = map[string]float64{"KiB": 1 << 10, "MiB": mib, "GiB": 1 << 30}

const mib = 1 << 20

// parseAmount returns bytes, down to a whole page as the kernel counts.
func parseAmount(field, s string) (uint64, error) {
	m := amountForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fault.Refuse(field, "%q is no amount of memory; write it like 256MiB, with KiB, MiB or GiB", s)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	page := uint64(os.Getpagesize())
	bytes := n * units[m[2]]
	if err != nil || bytes < float64(page) || bytes > math.MaxInt64/2 {
		return 0, fault.Refuse(field, "%q is less than a page of memory, or more than any machine has", s)
	}
	return uint64(bytes) / page * page, nil
}

var shareForm = regexp.MustCompile(`^[0-9]+([.][0-9]+)?%$`)

// parseShare returns a percentage above 0, of 100% at most; ok is false if s is
// none.
func parseShare(field, s string) (percent float64, ok bool, err error) {
	if !shareForm.MatchString(s) {
		return 0, false, nil
	}
	if percent, err = strconv.ParseFloat(s[:len(s)-1], 64); err != nil || percent <= 0 || percent > 100 {
		return 0, true, fault.Refuse(field, "%q is out of range; give more than 0%% and at most 100%%", s)
	}
	return percent, true, nil
}

// size writes bytes for people.
func size(n uint64) string {
	if n == math.MaxUint64 {
		return "no limit"
	}
	return strconv.FormatFloat(math.Round(float64(n)/mib*10)/10, 'f', -1, 64) + " MiB"
}
