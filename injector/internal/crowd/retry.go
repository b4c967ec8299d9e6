package crowd

import (
	"math"
	"math/rand/v2"
	"time"
)

// wait is how long a client waits after so many failures in a row: exponential
// backoff, truncated, with jitter.
func (r Retry) wait(failures int, rnd *rand.Rand) time.Duration {
	full := math.Min(float64(r.First)*math.Pow(r.Factor, float64(max(0, failures-1))), float64(r.Max))
	return time.Duration(full * (1 - r.Jitter*rnd.Float64()))
}
