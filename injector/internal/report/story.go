package report

import (
	"fmt"
	"strings"
)

// told is one sentence of the story under the question that it answers.
type told struct{ Head, Text string }

// heads are the questions that the five sentences answer, in their order.
var heads = [...]string{"What was hit", "What went dark", "What helped", "What was lost", "How it ended"}

// story tells the run in five sentences, from its data alone: what burnt, how the
// company as built fared, how the other layouts did, what was lost, and what the
// verdict is. What is replayed and what is measured are named as such and never
// added. A run that was refused has two sentences, under no heads.
func story(run *Run) []told {
	// With several layouts a refused run may have got through some of them.
	if len(run.Layouts) == 0 || run.Outcome == RefusedRun && len(run.Layouts) == 1 {
		return []told{{Text: fmt.Sprintf("The run was %s: %s", run.Outcome, sentence(run.Reason))}, {Text: "No fault was applied and no host was changed."}}
	}
	var out []told
	for i, tell := range [len(heads)]func(*Run) string{storyBurnt, storyBuilt, storyOthers, storyLost, storyEnd} {
		out = append(out, told{heads[i], tell(run)})
	}
	return out
}

func sentence(s string) string {
	if s == "" {
		return "no reason was recorded."
	}
	return strings.TrimSuffix(oneLine(s), ".") + "."
}

// storyLost says what became of what people sent, over all ledgers and loads.
func storyLost(run *Run) string {
	var parts []string
	kept, whole := false, true // whole: nothing lost and nothing in doubt
	for _, l := range run.Layouts {
		sum := total(l.Ledgers)
		if text := lostText(l, sum); text != "" {
			parts = append(parts, "in "+l.Name+" "+text)
		}
		kept = kept || len(l.Ledgers) > 0
		whole = whole && sum.Lost == 0 && sum.Unaccounted == 0
	}
	switch text := strings.Join(parts, "; "); {
	case !kept && text == "":
		return "No ledger was kept, so nothing is known of lost data."
	case !kept:
		return "No ledger was kept, so nothing is known of lost data: " + text + "."
	case whole:
		return "No acknowledged write was lost for good: " + text + "."
	default:
		return capital(text) + "."
	}
}

// total adds up what became of writes over ledgers.
func total(ledgers []Ledger) Ledger {
	var sum Ledger
	for _, g := range ledgers {
		sum.Acknowledged += g.Acknowledged
		sum.Lost += g.Lost
		sum.Elsewhere += g.Elsewhere
		sum.Unaccounted += g.Unaccounted
		sum.Unknown += g.Unknown
		sum.Refused += g.Refused
	}
	return sum
}

// lostText is one layout's writes and people; empty if there are neither.
func lostText(l Layout, sum Ledger) string {
	var parts []string
	if len(l.Ledgers) > 0 {
		text := fmt.Sprintf("%s were acknowledged and %s lost", plural(sum.Acknowledged, "write"), orNone(sum.Lost))
		if sum.Elsewhere > 0 {
			text += fmt.Sprintf(" (%s missing from the store in use, but on another site's disk)", Count(sum.Elsewhere))
		}
		if sum.Unaccounted > 0 {
			text += fmt.Sprintf(" (%s not accounted for, as a disk could not be read)", Count(sum.Unaccounted))
		}
		answer := "every sender got an answer"
		if sum.Unknown > 0 {
			answer = fmt.Sprintf("senders of %s more never got an answer", Count(sum.Unknown))
		}
		parts = append(parts, text, answer)
		if sum.Refused > 0 {
			parts = append(parts, Count(sum.Refused)+" could not be sent or were turned down")
		}
	}
	if people := rivals(l); people != "" {
		parts = append(parts, people)
	}
	return list(parts)
}

func orNone(n int) string {
	if n == 0 {
		return "none"
	}
	return Count(n)
}

// rivals is how many people had gone to a rival at most, in the load in which
// that were the most; empty if no load has one.
func rivals(l Layout) string {
	best, any := Load{}, false
	for _, g := range l.Loads {
		if g.Rival > 0 || g.MostMoved > 0 {
			any = true
		}
		if g.MostMoved > best.MostMoved {
			best = g
		}
	}
	switch {
	case !any:
		return ""
	case best.MostMoved == 0:
		return "nobody was with a rival for long"
	}
	return fmt.Sprintf("%s of %s people were with a rival at most", Count(best.MostMoved), Count(best.Users))
}

// storyEnd gives the verdicts, the state of the hosts and what really happened.
func storyEnd(run *Run) string {
	var verdicts []string
	for _, l := range run.Layouts {
		text := l.Name + " " + ended(l)
		if len(l.Reasons) > 0 && (l.Verdict == Inconclusive || l.Outcome != Completed) {
			text += " (" + strings.TrimSuffix(oneLine(l.Reasons[0]), ".") + ")"
		}
		if n := len(l.Failed); n > 0 {
			text += fmt.Sprintf(" (%s failed)", plural(n, "expectation"))
		}
		verdicts = append(verdicts, text+predictedText(run, l))
	}
	text := "The verdict: " + list(verdicts)
	if run.AsPredicted != nil && *run.AsPredicted {
		text += ", as predicted"
	}
	return text + "; " + hostsText(run) + happenedText(run) + "."
}

// predictedText says which layout came out otherwise than predicted.
func predictedText(run *Run, l Layout) string {
	switch {
	case l.Predicted.Verdict == "" || run.AsPredicted != nil && *run.AsPredicted:
		return ""
	case l.Predicted.Match:
		return ", as predicted"
	case l.Predicted.Verdict == l.Verdict:
		return ", but other expectations failed than predicted"
	}
	return ", though " + string(l.Predicted.Verdict) + " was predicted"
}

// hostsText is how the hosts were left, which took no part, and which faults
// were left out.
func hostsText(run *Run) string {
	text := "every host was left as it was found"
	if run.HostState == Residue {
		text = "some hosts were not left as they were found"
	}
	if missing := names(run, missingHosts); len(missing) > 0 {
		text += ", " + plural(len(missing), "host") + " took no part"
	}
	if left := names(run, func(l Layout) []string { return l.NotInjected }); len(left) > 0 {
		text += ", " + plural(len(left), "optional fault") + " could not be injected"
	}
	return text
}

// missingHosts are the names of a layout's missing hosts, without what they were
// spared.
func missingHosts(l Layout) []string {
	var out []string
	for _, m := range l.Missing {
		host, _, _ := strings.Cut(m, " (")
		out = append(out, host)
	}
	return out
}

// happenedText puts what really happened beside it: the service that was back
// first and the one that was back last, of those that went dark here.
func happenedText(run *Run) string {
	darkHere := fare(run.Layouts[0])
	var first, last Compare
	n := 0
	for _, name := range names(run, compareNames) {
		c, _ := happened(run, name)
		if darkHere.wentDark() > 0 && contains(darkHere.held, c.Probe) {
			continue
		}
		if n == 0 || c.HappenedS < first.HappenedS {
			first = c
		}
		if n == 0 || c.HappenedS > last.HappenedS {
			last = c
		}
		n++
	}
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("; in the incident itself %s were away for %s", first.Name, Long(seconds(first.HappenedS)))
	}
	return fmt.Sprintf("; in the incident itself %s came back after %s and %s, as the last, after %s",
		first.Name, Long(seconds(first.HappenedS)), last.Name, Long(seconds(last.HappenedS)))
}
