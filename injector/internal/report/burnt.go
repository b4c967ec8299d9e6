package report

import (
	"fmt"
	"slices"
	"strings"
)

// kindWords says what a fault does to a host, as a verb and what it is about. A
// kind that a plugin brings is called by its name.
var kindWords = map[string][2]string{
	"powerloss": {"lost", "power"},
	"partition": {"lost", "the network"},
	"cpu":       {"ran short of", "CPU"},
	"memory":    {"ran short of", "memory"},
}

func wordsOf(kind string) (verb, thing string) {
	if w, ok := kindWords[kind]; ok {
		return w[0], w[1]
	}
	return "had the fault", kind
}

// storyBurnt says what was done to how many hosts, where and when, and how much of
// the incident passed in how much wall time.
func storyBurnt(run *Run) string {
	l := run.Layouts[0]
	for _, other := range run.Layouts { // the first may have been refused
		if len(hit(other)) > 0 {
			l = other
			break
		}
	}
	var clauses []string
	for _, kinds := range kindsTogether(l) {
		clauses = append(clauses, kindText(run, l, kinds, len(clauses) == 0))
	}
	text := "no fault was in force on any host"
	if len(clauses) > 0 {
		text = strings.Join(clauses, ", and ")
	}
	if len(run.Layouts) > 1 {
		text += sameFor(run, l)
	}
	return capital(text) + clockText(l) + "."
}

// kindsTogether puts kinds together that do the like in the same stages.
func kindsTogether(l Layout) [][]string {
	like := func(a, b string) bool {
		verbA, _ := wordsOf(a)
		verbB, _ := wordsOf(b)
		return verbA == verbB && slices.EqualFunc(roundsOf(l, a), roundsOf(l, b), func(a, b round) bool { return a.stage == b.stage })
	}
	var out [][]string
	for _, kind := range kinds(l) {
		i := slices.IndexFunc(out, func(k []string) bool { return like(k[0], kind) })
		if i < 0 {
			out, i = append(out, nil), len(out)
		}
		out[i] = append(out[i], kind)
	}
	return out
}

// sameFor says for which layouts the first sentence holds.
func sameFor(run *Run, l Layout) string {
	same := func(other Layout) bool {
		return slices.Equal(hit(other), hit(l)) && slices.Equal(kinds(other), kinds(l))
	}
	for _, other := range run.Layouts {
		if !same(other) {
			return ", in " + l.Name + " (not alike in all layouts)"
		}
	}
	if len(run.Layouts) == 2 {
		return ", in both layouts"
	}
	return fmt.Sprintf(", in all %d layouts", len(run.Layouts))
}

// kindText is what like kinds of faults did: 10 of 31 hosts lost power: 3 in pangyo
// at …
func kindText(run *Run, l Layout, kinds []string, first bool) string {
	hosts := hit(l, kinds...)
	count := plural(len(hosts), "host")
	if first && len(l.Hosts) > 0 {
		count = fmt.Sprintf("%s of %s", Count(len(hosts)), plural(len(l.Hosts), "host"))
	}
	verb, things := "", []string{}
	for _, kind := range kinds {
		v, thing := wordsOf(kind)
		verb, things = v, append(things, thing)
	}
	did := verb + " " + strings.Join(things, " or ")
	const most = 4
	var where []string
	rounds := roundsOf(l, kinds...)
	for i, r := range rounds {
		if i == most {
			where = append(where, fmt.Sprintf("%d more times", len(rounds)-most))
			break
		}
		n := ""
		if len(rounds) > 1 {
			n = Count(len(r.hosts)) + " "
		}
		where = append(where, n+placeText(l, r.hosts)+"at "+clock(run, l, r, first && i == 0))
	}
	sep := " "
	if len(rounds) > 1 {
		sep = ": "
	}
	return count + " " + did + sep + list(where)
}

// round is the hosts that one stage hits with one kind of fault.
type round struct {
	stage string
	from  float64 // wall
	hosts []string
}

func roundsOf(l Layout, kinds ...string) []round {
	var out []round
	for _, f := range l.Faults {
		if !contains(kinds, f.Kind) || !f.acted() {
			continue
		}
		i := slices.IndexFunc(out, func(r round) bool { return r.stage == f.Stage })
		if i < 0 {
			out, i = append(out, round{f.Stage, f.FromWallS, nil}), len(out)
		}
		if !contains(out[i].hosts, f.Host) {
			out[i].hosts = append(out[i].hosts, f.Host)
		}
		out[i].from = min(out[i].from, f.FromWallS)
	}
	return out
}

// acted is whether the fault was there at all.
func (f Fault) acted() bool { return f.State == "exercised" || f.State == "in force" }

func kinds(l Layout) []string {
	var out []string
	for _, f := range l.Faults {
		if f.acted() && !contains(out, f.Kind) {
			out = append(out, f.Kind)
		}
	}
	return out
}

// hit are the hosts on which a fault was there, of some kinds if any are named.
func hit(l Layout, kinds ...string) []string {
	var out []string
	for _, f := range l.Faults {
		if f.acted() && (len(kinds) == 0 || contains(kinds, f.Kind)) && !contains(out, f.Host) {
			out = append(out, f.Host)
		}
	}
	slices.Sort(out)
	return out
}

// placeText names the sites of hosts, if they are known and few.
func placeText(l Layout, hosts []string) string {
	var sites []string
	for _, h := range l.Hosts {
		if contains(hosts, h.Name) && h.Site != "" && !contains(sites, h.Site) {
			sites = append(sites, h.Site)
		}
	}
	switch {
	case len(sites) == 0:
		return ""
	case len(sites) > 4:
		return fmt.Sprintf("at %d sites ", len(sites))
	}
	return "in " + list(sites) + " "
}

// clock is when a round began: by the incident's own clock if it is known, the
// date once.
func clock(run *Run, l Layout, r round, date bool) string {
	at := seconds(r.from)
	if i := slices.IndexFunc(l.Stages, func(s Stage) bool { return s.Name == r.stage }); i >= 0 {
		at = seconds(l.Stages[i].IncidentS)
	} else if len(l.Pace) > 0 {
		at = seconds(incidentAt(l.Pace, r.from))
	}
	if run.ClockStart.IsZero() {
		return Instant(at)
	}
	layout := "15:04"
	if day := run.ClockStart.Add(at); date || day.YearDay() != run.ClockStart.YearDay() {
		layout = "15:04 on 2 Jan 2006"
	}
	return run.ClockStart.Add(at).Format(layout) + " (" + Instant(at) + ")"
}

// clockText is how much of the incident passed in how much wall time.
func clockText(l Layout) string {
	n := len(l.Pace)
	if n == 0 {
		return ""
	}
	incident, wall := l.Pace[n-1].ToIncidentS, l.Pace[n-1].ToWallS
	if l.Outcome != Completed && l.Outcome != "" && l.EndS < wall {
		incident, wall = incidentAt(l.Pace, l.EndS), max(l.EndS, 0)
	}
	return fmt.Sprintf("; %s of the incident passed in %s of wall time", Long(seconds(incident)), Wall(seconds(wall)))
}
