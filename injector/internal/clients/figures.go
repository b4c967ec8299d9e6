package clients

import (
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Figures are the probes and ledgers as they stand now, as stop conditions see
// them. All look back from so long ago that every request has its answer or has
// timed out: what is on its way is no outage. What was sent late is left out; a
// figure with too little left is not known.
type Figures struct {
	collector *Collector
	over      map[string]time.Duration
	now       func() int64 // CLOCK_BOOTTIME, ns
}

// Figures returns the figures of a hypothesis' probes, each over the window of
// its tolerance, and of all ledgers.
func (c *Collector) Figures(hs []experiments.Hypothesis, now func() int64) *Figures {
	f := &Figures{collector: c, over: map[string]time.Duration{}, now: now}
	for _, h := range hs {
		f.over[h.Probe] = time.Duration(h.Tolerance.Over)
	}
	return f
}

// Availability is the share of successes in the window, 0 to 1.
func (f *Figures) Availability(name string) (float64, bool) {
	l := f.look(name)
	return l.Availability(), l.Known()
}

// P99 is in seconds; it is not known while there is no success.
func (f *Figures) P99(name string) (float64, bool) {
	l := f.look(name)
	return l.P99().Seconds(), l.Known() && l.Availability() > 0
}

// Outage is for how many seconds the probe has been dark; 0: it serves.
func (f *Figures) Outage(name string) (float64, bool) {
	_, samples, late, now := f.probe(name)
	return probe.Dark(samples, late, now).Seconds(), f.look(name).Known()
}

// Acknowledged is the number of writes that the service said it stored.
func (f *Figures) Acknowledged(name string) (int64, bool) {
	yes, _ := f.writes(name)
	return yes, true
}

// Unacknowledged is the number of writes that ended without such an answer, but
// for those that the clients themselves were late with.
func (f *Figures) Unacknowledged(name string) (int64, bool) {
	_, no := f.writes(name)
	return no, true
}

func (f *Figures) look(name string) probe.Look {
	spec, samples, late, now := f.probe(name)
	return probe.LookBack(samples, late, max(spec.Every, time.Millisecond), f.over[name], now)
}

// probe returns what is known of a probe and up to when all its requests ended.
func (f *Figures) probe(name string) (spec probe.Spec, samples []probe.Sample, late []probe.Window, now int64) {
	for _, p := range f.collector.config.Probes {
		if p.Name == name {
			spec = p
		}
	}
	f.collector.mu.Lock()
	defer f.collector.mu.Unlock()
	// Samples are only ever appended and late windows replaced: both may be read.
	return spec, f.collector.samples[name], f.collector.late, f.now() - int64(spec.Timeout)*int64(spec.Addresses()) - int64(probe.Grain)
}

func (f *Figures) writes(name string) (acknowledged, other int64) {
	f.collector.mu.Lock()
	writes, late := f.collector.writes[name], f.collector.late
	f.collector.mu.Unlock()
	for _, w := range writes {
		switch {
		case w.State == ledger.Acknowledged:
			acknowledged++
		case !(probe.Sample{Due: w.Due, Start: w.Start, Latency: w.Latency, Class: w.Class}).Late(late):
			other++
		}
	}
	return acknowledged, other
}
