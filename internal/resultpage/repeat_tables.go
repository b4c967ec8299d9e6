package main

import (
	"fmt"
	"strings"
)

// byLeader is the variable that changes from run to run: where the store's
// leader stands. It means something in stretched alone, where the store spans
// the sites.
const byLeader = "leader"

// table is one table of the page: a row for each name, a cell for each column.
type table struct {
	first   string
	columns []column
}

// column is one figure of a row, found by the row's name.
type column struct {
	head   string
	show   func(float64) string
	figure func(d *drill, name string) float64
}

func (t table) write(all []drill, names []string) string {
	var s strings.Builder
	s.WriteString("| " + t.first)
	for _, c := range t.columns {
		s.WriteString(" | " + c.head)
	}
	s.WriteString(" |\n|---" + strings.Repeat("|---:", len(t.columns)) + "|\n")
	for _, name := range names {
		s.WriteString("| " + name)
		for _, c := range t.columns {
			s.WriteString(" | " + over(all, func(d *drill) float64 { return c.figure(d, name) }).cell(c.show))
		}
		s.WriteString(" |\n")
	}
	return s.String()
}

// runTable has one row a run.
func runTable(all []drill) string {
	var s strings.Builder
	s.WriteString("| Run | Leader | Verdicts | Took |\n|---|---|---|---:|\n")
	for _, d := range all {
		var verdicts []string
		for _, l := range d.Layouts {
			verdicts = append(verdicts, l.Name+" "+l.Verdict)
		}
		fmt.Fprintf(&s, "| %s | %s | %s | %.0f s |\n", d.ID, d.variable(byLeader), strings.Join(verdicts, ", "), since(d.Started, d.Ended))
	}
	return s.String()
}

// layoutSection is all that was measured in one layout.
func layoutSection(all []drill, name string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "\n## %s\n", name)
	first := all[0].in(name)
	var probes, ledgers, loads []string
	for _, p := range first.Probes {
		probes = append(probes, p.Name)
	}
	for _, l := range first.Ledgers {
		ledgers = append(ledgers, l.Name)
	}
	for _, l := range first.Loads {
		loads = append(loads, l.Name)
	}
	for _, g := range groups(all, name) {
		fmt.Fprintf(&s, "\n### Services%s\n\n%s", g.title, services(name).write(g.runs, probes))
	}
	s.WriteString("\n### Ledgers\n\n" + books(name).write(all, ledgers))
	if len(loads) > 0 {
		s.WriteString("\n### Load\n\n" + crowd(name).write(all, loads))
	}
	s.WriteString("\n### Time\n\n" + times(all, name))
	return s.String()
}

// group is the runs that are comparable in a layout.
type group struct {
	title string
	runs  []drill
}

func groups(all []drill, name string) []group {
	if name != stretched {
		return []group{{runs: all}}
	}
	var out []group
	at := map[string]int{}
	for _, d := range all {
		leader := d.variable(byLeader)
		i, ok := at[leader]
		if !ok {
			i = len(out)
			at[leader] = i
			out = append(out, group{title: ", the store's leader at first on " + leader})
		}
		out[i].runs = append(out[i].runs, d)
	}
	return out
}

// services: dark from, waited and back are those of the longest outage.
func services(name string) table {
	of := func(figure func(outage) float64) func(*drill, string) float64 {
		return func(d *drill, service string) float64 {
			o, was := d.in(name).probe(service).longest()
			if !was {
				return none
			}
			return figure(o)
		}
	}
	return table{"Service", []column{
		{"Outages", whole, func(d *drill, p string) float64 { return float64(len(d.in(name).probe(p).Outages)) }},
		{"Dark from", incident, of(func(o outage) float64 { return o.FromIncidentS })},
		{"Waited for power or people (incident time)", hours, of(func(o outage) float64 { return o.GatedIncidentS })},
		{"Back by itself after (wall time)", seconds, of(func(o outage) float64 {
			if o.OwnWallS == nil {
				return none
			}
			return *o.OwnWallS
		})},
		{"Availability", percent, func(d *drill, p string) float64 { return d.in(name).probe(p).Availability }},
		{"p99", milliseconds, func(d *drill, p string) float64 { return orNone(d.in(name).probe(p).P99MS) }},
	}}
}

func books(name string) table {
	of := func(figure func(ledger) int) func(*drill, string) float64 {
		return func(d *drill, book string) float64 {
			for _, l := range d.in(name).Ledgers {
				if l.Name == book {
					return float64(figure(l))
				}
			}
			return none
		}
	}
	return table{"Ledger", []column{
		{"Acknowledged", whole, of(func(l ledger) int { return l.Acknowledged })},
		{"Missing from the active store", whole, of(func(l ledger) int { return l.Missing })},
		{"Of these elsewhere", whole, of(func(l ledger) int { return l.Elsewhere })},
		{"Lost", whole, of(func(l ledger) int { return l.Lost })},
		{"Duplicated", whole, of(func(l ledger) int { return l.Duplicated })},
		{"Unknown to the sender", whole, of(func(l ledger) int { return l.Unknown })},
	}}
}

func crowd(name string) table {
	of := func(figure func(load) float64) func(*drill, string) float64 {
		return func(d *drill, load string) float64 {
			for _, l := range d.in(name).Loads {
				if l.Name == load {
					return figure(l)
				}
			}
			return none
		}
	}
	return table{"Load", []column{
		{"Requests", whole, of(func(l load) float64 { return float64(l.Requests) })},
		{"Answered", whole, of(func(l load) float64 { return float64(l.Answered) })},
		{"Most at the rival", whole, of(func(l load) float64 { return float64(l.MostMoved) })},
		{"p99", milliseconds, of(func(l load) float64 { return l.P99MS })},
	}}
}

// times is about the run itself, in wall time.
func times(all []drill, name string) string {
	rows := map[string]func(*layout) float64{
		"all hosts up": func(l *layout) float64 { return since(l.start.began, l.start.up) },
		"then steady":  func(l *layout) float64 { return since(l.start.up, l.start.steady) },
		"whole layout": func(l *layout) float64 { return since(l.start.began, l.start.ended) },
		"clients late": (*layout).late,
	}
	names := []string{"all hosts up", "then steady", "whole layout", "clients late"}
	if name == asItWas {
		for i, group := range returns[1:] {
			row := strings.Join(returns[i], ", ") + " back, then the first of " + strings.Join(group, ", ")
			names = append(names, row)
			rows[row] = func(l *layout) float64 { return l.gap(i).seconds }
		}
	}
	t := table{"Wall time", []column{{"Seconds", seconds, func(d *drill, row string) float64 { return rows[row](d.in(name)) }}}}
	return t.write(all, names)
}
