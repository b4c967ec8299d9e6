package report

import (
	"slices"
	"strconv"
)

// worst is the outage that never ended, else the one with the longest wait, else
// the one with the longest own part; and how many there were.
func (p Probe) worst() (Outage, int) {
	if len(p.Outages) == 0 {
		return Outage{}, 0
	}
	worst := p.Outages[0]
	for _, o := range p.Outages[1:] {
		if o.worse(worst) {
			worst = o
		}
	}
	return worst, len(p.Outages)
}

func (o Outage) worse(than Outage) bool {
	switch {
	case (o.OwnWallS == nil) != (than.OwnWallS == nil):
		return o.OwnWallS == nil
	case o.GatedIncidentS != than.GatedIncidentS:
		return o.GatedIncidentS > than.GatedIncidentS
	}
	return o.OwnWallS != nil && *o.OwnWallS > *than.OwnWallS
}

func (l Layout) probe(name string) (Probe, bool) {
	for _, p := range l.Probes {
		if p.Name == name {
			return p, true
		}
	}
	return Probe{}, false
}

func (l Layout) ledger(name string) (Ledger, bool) {
	i := slices.IndexFunc(l.Ledgers, func(g Ledger) bool { return g.Name == name })
	if i < 0 {
		return Ledger{}, false
	}
	return l.Ledgers[i], true
}

func (l Layout) load(name string) (Load, bool) {
	i := slices.IndexFunc(l.Loads, func(g Load) bool { return g.Name == name })
	if i < 0 {
		return Load{}, false
	}
	return l.Loads[i], true
}

func (l Layout) failed(line string) bool { return slices.Contains(l.Failed, line) }

func layoutNames(run *Run) []string {
	return namesOf(run.Layouts, func(l Layout) string { return l.Name })
}

// namesOf are the names of all, in their order.
func namesOf[T any](all []T, name func(T) string) []string {
	var out []string
	for _, one := range all {
		out = append(out, name(one))
	}
	return out
}

func probeNames(l Layout) []string { return namesOf(l.Probes, func(x Probe) string { return x.Name }) }

func ledgerNames(l Layout) []string {
	return namesOf(l.Ledgers, func(x Ledger) string { return x.Name })
}

func loadNames(l Layout) []string { return namesOf(l.Loads, func(x Load) string { return x.Name }) }

func compareNames(l Layout) []string {
	return namesOf(l.Compare, func(x Compare) string { return x.Probe })
}

// names are the distinct names over all layouts, in order of appearance.
func names(run *Run, of func(Layout) []string) []string {
	var out []string
	for _, l := range run.Layouts {
		for _, n := range of(l) {
			if !slices.Contains(out, n) {
				out = append(out, n)
			}
		}
	}
	return out
}

// happened is the incident's own figure for a probe, from the first layout that
// compares it.
func happened(run *Run, probe string) (Compare, bool) {
	for _, l := range run.Layouts {
		for _, c := range l.Compare {
			if c.Probe == probe {
				return c, true
			}
		}
	}
	return Compare{}, false
}

// Count writes a number with commas between thousands.
func Count(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}
