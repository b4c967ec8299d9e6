package traffic

import (
	"math"
	"regexp"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Describe is what all network faults say of themselves alike.
func Describe(kind fault.Kind, summary string, touches ...string) fault.Info {
	return fault.Info{
		Kind:            kind,
		Summary:         summary,
		ContractVersion: fault.ContractVersion,
		PluginVersion:   "1",
		Touches:         append([]string{"qdisc", "filter", "bpf"}, touches...),
		Needs:           fault.Needs{Capabilities: []string{"CAP_NET_ADMIN", "CAP_BPF", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}, Features: []string{"bpf-tc"}},
		Protection:      []fault.Protection{fault.ProtectKernelLease, fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		Destroys:        fault.DestroysNothing,
	}
}

var percentForm = regexp.MustCompile(`^[0-9]+([.][0-9]+)?%$`)

// Share reads a share of packets, such as 10%, as a number above 0 and up to 1;
// the error names the field.
func Share(field, s string) (float64, error) {
	if !percentForm.MatchString(s) {
		return 0, fault.Refuse(field, "%q is no percentage of packets; write it like 10%% or 0.5%%", s)
	}
	percent, err := strconv.ParseFloat(s[:len(s)-1], 64)
	if err != nil || percent < leastPercent || percent > 100 {
		return 0, fault.Refuse(field, "%q is not between %g%% and 100%%", s, leastPercent)
	}
	return percent / 100, nil
}

// leastPercent is about one packet in a million.
const leastPercent = 0.0001

// canariesFor is how many canaries an Observe sends to each peer, so that by
// chance a few are acted upon without flooding anybody.
func canariesFor(c Change) int {
	const few, most = 7, 256
	n := most
	if c.Action.Share > 0 {
		n = int(math.Min(most, math.Ceil(few/c.Action.Share)))
	}
	return max(1, n/max(1, min(len(c.Rule.To), MaxCanaries)))
}

// ObserveShare is Observe of a fault that acts upon a share of packets. Its name
// and what became of the packets stand in the measures: "loss", "lost".
func (i *Injector) ObserveShare(t fault.Target, c Change, name, did string) (fault.Observation, error) {
	r, err := i.Observe(t, c, canariesFor(c))
	o := fault.Observation{
		State: r.State(), Dose: r.Dose(), Detail: r.Detail(did),
		Asked: []fault.Measure{{Name: name, Value: 100 * c.Action.Share, Unit: "% of packets"}},
	}
	if r.Matched > 0 {
		o.Achieved = append(o.Achieved, fault.Measure{Name: name, Value: r.Share(), Unit: "% of packets"})
	}
	o.Achieved = append(o.Achieved,
		fault.Measure{Name: "packets " + did, Value: float64(r.Acted), Unit: "packets"},
		fault.Measure{Name: "packets it was about", Value: float64(r.Matched), Unit: "packets"},
	)
	return o, err
}
