package report

import (
	"fmt"
	"strings"
)

// clockKind says by which clock a row's figures were taken; most have none.
type clockKind string

// bothClocks: what was waited for is time of the incident, as power and people
// took it then; what follows "then" is wall time of software. Never added.
const bothClocks clockKind = "replayed, then measured"

// group is what a row is about.
type group string

const (
	services  group = "service"
	answers   group = "answered in time"
	ledgers   group = "ledger"
	loads     group = "load"
	wholeRuns group = "run"
)

// cell is one figure of one layout.
type cell struct {
	Text  string
	Short string // the same for a narrow column
	Bad   bool   // it is, or it caused, a failed line
	Good  bool
}

// scoreRow is one figure over all layouts.
type scoreRow struct {
	Group            group
	Name             string
	Clock            clockKind
	Cells            []cell
	Happened, Source string // what the incident's own figure was, with its name, and who says so
	ShortHappened    string
}

// scoreboard puts the layouts side by side: one row a service with what really
// happened beside it, then its availability, the ledgers, the loads, the verdict.
func scoreboard(run *Run) []scoreRow {
	var rows []scoreRow
	add := func(g group, name string, of func(Layout) cell) {
		row := scoreRow{Group: g, Name: name}
		for _, l := range run.Layouts {
			row.Cells = append(row.Cells, of(l))
		}
		rows = append(rows, row)
	}
	probes := names(run, probeNames)
	for _, name := range probes {
		add(services, name, func(l Layout) cell { return serviceCell(l, name) })
		row := &rows[len(rows)-1]
		row.Clock = bothClocks
		if c, ok := happened(run, name); ok {
			row.Happened = c.Name + ": " + Long(seconds(c.HappenedS))
			row.ShortHappened, row.Source = shortLong(seconds(c.HappenedS)), c.Source
		}
	}
	for _, name := range probes {
		add(answers, name+" availability", func(l Layout) cell { return availabilityCell(l, name) })
	}
	for _, name := range names(run, ledgerNames) {
		add(ledgers, name+": acknowledged / missing / of these elsewhere / lost", func(l Layout) cell { return keptCell(l, name) })
		add(ledgers, name+": duplicated / unknown / refused", func(l Layout) cell { return sentCell(l, name) })
	}
	for _, name := range names(run, loadNames) {
		add(loads, name+": requests / answered / most people at a rival", func(l Layout) cell { return loadCell(l, name) })
	}
	add(wholeRuns, "verdict", verdictCell)
	add(wholeRuns, "hosts", hostsCell)
	if left := len(names(run, func(l Layout) []string { return l.NotInjected })); left > 0 {
		add(wholeRuns, "optional faults not injected", func(l Layout) cell { return cell{Text: Count(len(l.NotInjected))} })
	}
	return rows
}

// availabilityCell is the share of a probe's samples that came out as expected.
func availabilityCell(l Layout, name string) cell {
	p, ok := l.probe(name)
	if !ok || p.Samples == 0 {
		return cell{Text: notMeasured}
	}
	return cell{Text: Percent(p.Availability), Bad: l.failed(name + ".availability")}
}

// keptCell is what became of a ledger's acknowledged writes.
func keptCell(l Layout, name string) cell {
	g, ok := l.ledger(name)
	if !ok {
		return cell{Text: "not audited"}
	}
	text := figures(g.Acknowledged, g.Missing, g.Elsewhere, g.Lost)
	if g.Unaccounted > 0 {
		text += " (" + Count(g.Unaccounted) + " not accounted for)"
	}
	bad := l.failed(name+".lost") || l.failed(name+".missing") || l.failed(name+".unaccounted")
	return cell{Text: text, Bad: bad, Good: !bad && g.Lost == 0 && g.Unaccounted == 0}
}

// sentCell is what else became of what was sent.
func sentCell(l Layout, name string) cell {
	g, ok := l.ledger(name)
	if !ok {
		return cell{Text: "not audited"}
	}
	return cell{Text: figures(g.Duplicated, g.Unknown, g.Refused), Bad: l.failed(name + ".duplicated")}
}

func loadCell(l Layout, name string) cell {
	g, ok := l.load(name)
	if !ok {
		return cell{Text: notMeasured}
	}
	return cell{Text: figures(g.Requests, g.Answered, g.MostMoved)}
}

func figures(ns ...int) string {
	var out []string
	for _, n := range ns {
		out = append(out, Count(n))
	}
	return strings.Join(out, " / ")
}

func verdictCell(l Layout) cell {
	text := ended(l)
	switch {
	case l.Predicted.Verdict == "":
	case l.Predicted.Match:
		text += ", as predicted"
	default:
		text += ", predicted " + strings.TrimSpace(string(l.Predicted.Verdict)+" "+strings.Join(l.Predicted.Failed, ", "))
	}
	return cell{Text: text, Bad: l.Verdict == Deviated || l.Verdict == Inconclusive, Good: l.Verdict == Held}
}

// ended is a layout's verdict, and how it ended if not by itself.
func ended(l Layout) string {
	text := string(l.Verdict)
	if l.Outcome != Completed && l.Outcome != "" {
		text = strings.TrimPrefix(text+", "+string(l.Outcome), ", ")
	}
	if text == "" {
		return "no verdict"
	}
	return text
}

func hostsCell(l Layout) cell {
	c := cell{Text: "left as found", Good: true}
	if l.HostState == Residue {
		c = cell{Text: "not left as found (" + plural(len(l.ResidueDiff), "difference") + ")", Bad: true}
	}
	if n := len(l.Missing); n > 0 {
		c.Text += fmt.Sprintf(", %s missing", Count(n))
	}
	return c
}
