package clients

import (
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/experiments/condition"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

var _ condition.Figures = (*Figures)(nil)

// filled is a collector that got 20 s of samples and writes at 10 a second;
// those from second fails on fail.
func filled(fails int64, late ...probe.Window) *Figures {
	const every = int64(100 * time.Millisecond)
	c := &Collector{config: Config{Probes: []probe.Spec{{Name: "p", Every: time.Duration(every), Timeout: time.Second}}},
		samples: map[string][]probe.Sample{}, writes: map[string][]ledger.Write{}, late: late}
	for i := range int64(200) {
		s := probe.Sample{Probe: "p", Due: i * every, Start: i * every, Latency: 20 * time.Millisecond, OK: true, Class: probe.OK}
		w := ledger.Write{Ledger: "l", Due: s.Due, Start: s.Due, Latency: s.Latency, State: ledger.Acknowledged}
		if i*every >= fails*int64(time.Second) {
			s.OK, s.Class, w.State, w.Class = false, probe.Timeout, ledger.Unknown, probe.Timeout
		}
		c.samples["p"], c.writes["l"] = append(c.samples["p"], s), append(c.writes["l"], w)
	}
	hs := []experiments.Hypothesis{{Probe: "p", Tolerance: experiments.Tolerance{Over: experiments.Duration(5 * time.Second)}}}
	return c.Figures(hs, func() int64 { return int64(20 * time.Second) })
}

func TestFigures(t *testing.T) {
	late := probe.Window{From: int64(14 * time.Second), To: int64(20 * time.Second)}
	for name, c := range map[string]struct {
		figures *Figures
		text    string
		want    condition.State
	}{
		"serves":                {filled(99), `availability("p") == 1.0 && outage("p") == 0.0 && p99("p") < 0.03`, condition.True},
		"dark":                  {filled(10), `availability("p") == 0.0 && outage("p") > 8 && outage("p") < 10`, condition.True},
		"dark for a part of it": {filled(17), `availability("p") > 0.2 && availability("p") < 0.8`, condition.True},
		"no latency while dark": {filled(10), `p99("p") > 1`, condition.Unknown},
		"late is unknown":       {filled(14, late), `availability("p") < 0.5 || outage("p") > 1`, condition.Unknown},
		"the twin is not":       {filled(14), `availability("p") < 0.5 || outage("p") > 1`, condition.True},
		"writes":                {filled(15), `acknowledged("l") == 150 && unacknowledged("l") == 50`, condition.True},
		"late writes":           {filled(14, late), `unacknowledged("l") == 0`, condition.True},
	} {
		cond, err := condition.New(c.text, condition.Names{Probes: []string{"p"}, Ledgers: []string{"l"}}, c.figures)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := cond.Eval(); got != c.want || err != nil {
			a, ak := c.figures.Availability("p")
			o, ok := c.figures.Outage("p")
			t.Errorf("%s: %v, %v; want %v (availability %v %v, outage %v %v)", name, got, err, c.want, a, ak, o, ok)
		}
	}
}
