package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// moment is one line of a layout's timeline.
type moment struct {
	WallS    float64
	Incident string // T+93m, or ~T+93m where it was worked out from wall time
	Kind     string // stage, power, runbook, outage, recovery
	What     string
	Hosts    string
	Source   string
}

// timeline merges what was done and what came of it, in order of wall time.
func timeline(l Layout) []moment {
	var out []moment
	for i, s := range l.Stages {
		out = append(out, moment{s.WallS, Instant(seconds(s.IncidentS)), "stage", fmt.Sprintf("stage %d: %s", i+1, s.Name), strings.Join(s.Hosts, ", "), s.Source})
	}
	for _, s := range l.Runbook {
		what := "runbook step, replayed: " + s.Name
		if !s.OK {
			what += " (went wrong: " + s.Output + ")"
		}
		out = append(out, moment{s.WallS, Instant(seconds(s.IncidentS)), "runbook", what, "", s.Source})
	}
	for _, g := range faultGroups(l) {
		if g.to > g.from {
			out = append(out, moment{g.to, l.about(g.to), "power", g.kind + " ended", strings.Join(g.hosts, ", "), ""})
		}
	}
	for _, p := range l.Probes {
		for _, o := range p.Outages {
			out = append(out, moment{o.FromWallS, l.about(o.FromWallS), "outage", p.Name + " goes dark", "", ""})
			if o.ToWallS != nil {
				out = append(out, moment{*o.ToWallS, l.about(*o.ToWallS), "recovery", p.Name + " is back", "", ""})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b moment) int {
		switch {
		case a.WallS < b.WallS:
			return -1
		case a.WallS > b.WallS:
			return 1
		}
		return 0
	})
	return out
}

// about is the instant of the incident at a wall time, by the layout's clock.
func (l Layout) about(wall float64) string {
	if len(l.Pace) == 0 {
		return ""
	}
	return "~" + Instant(time.Duration(incidentAt(l.Pace, wall)*float64(time.Second)).Truncate(time.Minute))
}

func incidentAt(pace []Stretch, wall float64) float64 {
	for _, s := range pace {
		if wall <= s.ToWallS && s.ToWallS > s.FromWallS {
			return s.FromIncidentS + (max(wall, s.FromWallS)-s.FromWallS)*(s.ToIncidentS-s.FromIncidentS)/(s.ToWallS-s.FromWallS)
		}
	}
	return pace[len(pace)-1].ToIncidentS
}

// faultGroup is faults of one kind that began and ended together.
type faultGroup struct {
	kind     string
	hosts    []string
	from, to float64
}

// sameTime is how far apart, in seconds, two faults of one group may begin or end.
const sameTime = 0.5

func faultGroups(l Layout) []faultGroup {
	var out []faultGroup
next:
	for _, f := range l.Faults {
		for i, g := range out {
			if g.kind == f.Kind && near(g.from, f.FromWallS) && near(g.to, f.ToWallS) && !contains(g.hosts, f.Host) {
				out[i].hosts = append(out[i].hosts, f.Host)
				continue next
			}
		}
		out = append(out, faultGroup{f.Kind, []string{f.Host}, f.FromWallS, f.ToWallS})
	}
	return out
}

func near(a, b float64) bool { return a-b <= sameTime && b-a <= sameTime }
