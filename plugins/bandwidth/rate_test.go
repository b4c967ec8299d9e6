package bandwidth

import (
	"errors"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestRate(t *testing.T) {
	for s, want := range map[string]uint64{"8kbit": 8_000, "1.5mbit": 1_500_000, "100gbit": 100_000_000_000, "7kbit": 0, "101gbit": 0, "10": 0, "10mbps": 0, "-1mbit": 0, "10 mbit": 0} {
		got, err := parseRate(s)
		var refused *fault.RefusedError
		if want == 0 && (!errors.As(err, &refused) || refused.Field != "rate") || want != 0 && err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
}
