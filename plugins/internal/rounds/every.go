package rounds

import (
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// ParseEvery reads the parameter every; 0 if it is not given.
func ParseEvery(s string, least time.Duration) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fault.Refuse("every", "%q is no duration; write it like 5s", s)
	}
	if d < least {
		return 0, fault.Refuse("every", "%s is too often; give %s or more", d, least)
	}
	return d, nil
}
