package runner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/clients"
	"github.com/firedrill-io/firedrill/injector/internal/judge"
)

// Limits of waiting for the hypothesis.
const (
	steadyLimit  = 45 * time.Second // before the first stage: services are still starting
	recoverLimit = 30 * time.Second // after the last revert
	steadyPause  = 250 * time.Millisecond
)

// awaitSteady waits until every probe of the hypothesis holds over its window,
// and returns what each looked like at last.
func awaitSteady(ctx context.Context, c *clients.Collector, hs []experiments.Hypothesis, limit time.Duration) (map[string]judge.Steadiness, bool) {
	deadline := time.Now().Add(limit)
	for {
		state, all := steadiness(c, hs)
		if all || time.Now().After(deadline) || !sleep(ctx, steadyPause) {
			return state, all
		}
		select {
		case <-c.Done():
			return state, false
		default:
		}
	}
}

// steadiness looks back from one time-out ago, so that only what has been
// answered is judged.
func steadiness(c *clients.Collector, hs []experiments.Hypothesis) (map[string]judge.Steadiness, bool) {
	out, all := map[string]judge.Steadiness{}, true
	for _, h := range hs {
		timeout := time.Duration(h.Timeout)
		if timeout <= 0 {
			timeout = clients.DefaultTimeout
		}
		ok, why := c.Steady(h, bootTime()-int64(timeout))
		out[h.Probe] = judge.Steadiness{OK: ok, Reason: why}
		all = all && ok
	}
	return out, all
}

// unsteady names the probes that do not hold, with the reason.
func unsteady(state map[string]judge.Steadiness) string {
	var out []string
	for probe, s := range state {
		if !s.OK {
			out = append(out, fmt.Sprintf("%s: %s", probe, s.Reason))
		}
	}
	return strings.Join(out, "; ")
}
