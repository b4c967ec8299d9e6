package report

import (
	"fmt"
	"strings"
)

// clockKind says by which clock a figure was taken; the two are never added.
type clockKind string

const (
	noClock  clockKind = ""
	replayed clockKind = "replayed, incident time" // what power and people did then
	measured clockKind = "measured, wall time"     // what software did by itself
)

// cell is one figure of one layout.
type cell struct {
	Text string
	Bad  bool // it is, or it caused, a failed line
	Good bool
}

// scoreRow is one figure over all layouts.
type scoreRow struct {
	Name             string
	Clock            clockKind
	Cells            []cell
	Happened, Source string // what the incident's own figure was
}

// scoreboard puts the layouts side by side.
func scoreboard(run *Run) []scoreRow {
	var rows []scoreRow
	add := func(name string, clock clockKind, of func(Layout) cell) {
		row := scoreRow{Name: name, Clock: clock}
		for _, l := range run.Layouts {
			row.Cells = append(row.Cells, of(l))
		}
		rows = append(rows, row)
	}
	add("verdict", noClock, verdictCell)
	for _, name := range names(run, probeNames) {
		probeRows(run, name, add)
		for i := range rows {
			if rows[i].Name == name+waited {
				rows[i].Happened, rows[i].Source = happened(run, name)
			}
		}
	}
	for _, name := range names(run, ledgerNames) {
		for _, f := range ledgerFields {
			add(name+": "+f.name, noClock, func(l Layout) cell { return ledgerCell(l, name, f) })
		}
	}
	add("hosts", noClock, hostsCell)
	return rows
}

const waited = " waited for power or people"

// probeRows adds the figures of one probe; the parts of an outage only if some
// layout had one.
func probeRows(run *Run, name string, add func(string, clockKind, func(Layout) cell)) {
	outage := func(l Layout) (Outage, int) { p, _ := l.probe(name); return p.worst() }
	cut := false
	for _, l := range run.Layouts {
		_, n := outage(l)
		cut = cut || n > 0
	}
	add(name+" dark from", noClock, func(l Layout) cell { o, n := outage(l); return fromCell(o, n) })
	if cut {
		add(name+waited, replayed, func(l Layout) cell {
			o, n := outage(l)
			return cell{Text: gatedText(o, n), Bad: l.failed(name + ".gated")}
		})
		add(name+" back by itself after", measured, func(l Layout) cell {
			o, n := outage(l)
			return cell{Text: ownText(o, n), Bad: l.failed(name+".own") || n > 0 && o.OwnWallS == nil}
		})
	}
	add(name+" availability", noClock, func(l Layout) cell {
		p, ok := l.probe(name)
		if !ok || p.Samples == 0 {
			return cell{Text: "not measured"}
		}
		return cell{Text: Percent(p.Availability), Bad: l.failed(name + ".availability")}
	})
}

var ledgerFields = []ledgerField{
	{"acknowledged", "", func(g Ledger) int { return g.Acknowledged }},
	{"missing from the active store", "missing", func(g Ledger) int { return g.Missing }},
	{"of these on another site's disk", "", func(g Ledger) int { return g.Elsewhere }},
	{"lost", "lost", func(g Ledger) int { return g.Lost }},
	{"duplicated", "duplicated", func(g Ledger) int { return g.Duplicated }},
	{"unknown to the sender", "", func(g Ledger) int { return g.Unknown }},
}

type ledgerField struct {
	name  string
	field string // in a failed line
	of    func(Ledger) int
}

func ledgerCell(l Layout, name string, f ledgerField) cell {
	for _, g := range l.Ledgers {
		if g.Name == name {
			bad := f.field != "" && l.failed(name+"."+f.field)
			return cell{Text: Count(f.of(g)), Bad: bad, Good: f.field == "lost" && g.Lost == 0 && g.Unaccounted == 0}
		}
	}
	return cell{Text: "not audited"}
}

func verdictCell(l Layout) cell {
	text := string(l.Verdict)
	if text == "" {
		text = string(l.Outcome)
	}
	switch {
	case l.Predicted.Verdict == "":
	case l.Predicted.Match:
		text += ", as predicted"
	default:
		text += ", predicted " + strings.TrimSpace(string(l.Predicted.Verdict)+" "+strings.Join(l.Predicted.Failed, ", "))
	}
	return cell{Text: text, Bad: l.Verdict == Deviated || l.Verdict == Inconclusive, Good: l.Verdict == Held}
}

func hostsCell(l Layout) cell {
	if l.HostState == Residue {
		return cell{Text: fmt.Sprintf("%d differences left behind", len(l.ResidueDiff)), Bad: true}
	}
	return cell{Text: "left as found", Good: true}
}

func fromCell(o Outage, n int) cell {
	switch n {
	case 0:
		return cell{Text: "never", Good: true}
	case 1:
		return cell{Text: o.From}
	}
	return cell{Text: fmt.Sprintf("%s (worst of %d outages)", o.From, n)}
}

func gatedText(o Outage, n int) string {
	if n == 0 {
		return "—"
	}
	if o.Gate == "none" || o.Gate == "" {
		return "waited for nothing"
	}
	return Long(seconds(o.GatedIncidentS))
}

func ownText(o Outage, n int) string {
	switch {
	case n == 0:
		return "—"
	case o.OwnWallS == nil:
		return "never came back"
	}
	return Wall(seconds(*o.OwnWallS)) + o.unsure()
}

// unsure says how far the clients' own lateness leaves an outage's length open.
func (o Outage) unsure() string {
	own, gated := 0.0, o.Gate != "none" && o.Gate != ""
	if o.OwnWallS != nil {
		own = *o.OwnWallS
	}
	var parts []string
	if o.UnsureAfterS > 0 {
		parts = append(parts, "at least "+Wall(seconds(max(own-o.UnsureAfterS, 0))))
	}
	if o.UnsureBeforeS > 0 && !gated {
		parts = append(parts, "at most "+Wall(seconds(own+o.UnsureBeforeS)))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ": clients were late)"
}
