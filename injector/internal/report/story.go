package report

import (
	"fmt"
	"strings"
)

// story tells the run in five sentences, from its data alone: what was done to
// what, how the service fared, what became of the data, how that compares with
// the incident, and in what state the hosts were left.
func story(run *Run) []string {
	if len(run.Layouts) == 0 {
		return []string{fmt.Sprintf("The run was %s: %s", run.Outcome, sentence(run.Reason)), "No fault was applied and no host was changed."}
	}
	if run.Outcome == RefusedRun && len(run.Layouts) == 1 { // with several, others may have run
		return []string{fmt.Sprintf("The run was refused: %s", sentence(run.Reason)), "No fault was applied and no host was changed."}
	}
	return []string{storyStages(run), storyService(run), storyData(run), storyCompare(run), storyEnd(run)}
}

func sentence(s string) string {
	if s == "" {
		return "no reason was recorded."
	}
	return strings.TrimSuffix(s, ".") + "."
}

// storyStages says what was done, on which clocks.
func storyStages(run *Run) string {
	l := run.Layouts[0]
	layouts := fmt.Sprintf("%d layouts (%s) went", len(run.Layouts), nameList(run))
	if len(run.Layouts) == 1 {
		layouts = "Layout " + l.Name + " went"
	}
	var stages []string
	for _, s := range l.Stages {
		stages = append(stages, fmt.Sprintf("%s at %s (%s)", s.Name, Instant(seconds(s.IncidentS)), plural(len(s.Hosts), "host")))
	}
	text := fmt.Sprintf("%s through %s: %s", layouts, plural(len(stages), "stage"), list(stages))
	if n := len(l.Pace); n > 0 {
		text += fmt.Sprintf(", %s of the incident in %s of wall time", Long(seconds(l.Pace[n-1].ToIncidentS)), Wall(seconds(l.Pace[n-1].ToWallS)))
	}
	return text + "."
}

// storyService says how long each layout's probes were dark, by both clocks.
func storyService(run *Run) string {
	var parts []string
	for _, l := range run.Layouts {
		var dark []string
		for _, p := range l.Probes {
			if o, n := p.worst(); n > 0 {
				dark = append(dark, darkText(p.Name, o))
			}
		}
		if len(dark) == 0 {
			dark = []string{fmt.Sprintf("there was no outage of a second or more (%s)", list(probeNames(l)))}
		}
		parts = append(parts, "in "+l.Name+" "+list(dark))
	}
	return capital(strings.Join(parts, "; ")) + "."
}

func darkText(name string, o Outage) string {
	text := fmt.Sprintf("%s was dark from %s", name, o.From)
	if o.Gate != "none" && o.Gate != "" {
		text += fmt.Sprintf(", waited %s of the incident for %s", Long(seconds(o.GatedIncidentS)), o.GateDetail)
	}
	if o.OwnWallS == nil {
		return text + " and never came back"
	}
	if o.Gate == "none" || o.Gate == "" {
		return text + fmt.Sprintf(" and was back by itself after %s", ownText(o, 1))
	}
	return text + fmt.Sprintf(" and then was back after %s", ownText(o, 1))
}

// storyData says what became of the acknowledged writes.
func storyData(run *Run) string {
	var parts []string
	for _, l := range run.Layouts {
		for _, g := range l.Ledgers {
			parts = append(parts, fmt.Sprintf("%s acknowledged %s and %s", l.Name, plural(g.Acknowledged, g.Name+" write"), ledgerText(g)))
		}
	}
	if len(parts) == 0 {
		return "No ledger was kept, so nothing is known of lost data."
	}
	return capital(strings.Join(parts, "; ")) + "."
}

func ledgerText(g Ledger) string {
	text := "lost " + Count(g.Lost)
	if g.Lost == 0 {
		text = "lost none"
	}
	if g.Elsewhere > 0 {
		text += fmt.Sprintf(", with %s missing from the active store but still on another site's disk", Count(g.Elsewhere))
	}
	if g.Unaccounted > 0 {
		text += fmt.Sprintf(", with %s not accounted for because a disk could not be read", Count(g.Unaccounted))
	}
	return text
}

// storyCompare puts the incident's own figures beside what was to be shown.
func storyCompare(run *Run) string {
	var happened, seen []string
	for _, l := range run.Layouts {
		for _, c := range l.Compare {
			text := fmt.Sprintf("%s for %s", Long(seconds(c.HappenedS)), c.Name)
			if !contains(seen, c.Name) {
				happened, seen = append(happened, text), append(seen, c.Name)
			}
		}
	}
	if len(happened) == 0 {
		return "Nothing was compared with a real incident."
	}
	return "In the incident itself the outage lasted " + list(happened) + "; waiting for power and people is replayed from its timeline, only what software does by itself is measured here."
}

// storyEnd gives verdicts and the state of the hosts.
func storyEnd(run *Run) string {
	var verdicts []string
	for _, l := range run.Layouts {
		text := l.Name + " " + string(l.Verdict)
		if len(l.Failed) > 0 {
			text += " (" + strings.Join(l.Failed, ", ") + ")"
		}
		verdicts = append(verdicts, text)
	}
	predicted := ""
	if run.AsPredicted != nil && *run.AsPredicted {
		predicted = ", as predicted"
	} else if run.AsPredicted != nil {
		predicted = ", which is not what was predicted"
	}
	hosts := "every host was left as it was found"
	if run.HostState == Residue {
		hosts = "some hosts were not left as they were found"
	}
	return fmt.Sprintf("The verdict is %s%s, and %s.", list(verdicts), predicted, hosts)
}
