package report

import "strings"

const notMeasured = "not measured"

// serviceCell is how a service fared in a layout: what it waited for, in time of
// the incident, and then how long software took, in wall time. The two are
// never added.
func serviceCell(l Layout, name string) cell {
	p, ok := l.probe(name)
	if !ok || p.Samples == 0 {
		return cell{Text: notMeasured, Short: "–"}
	}
	o, n := p.worst()
	if n == 0 {
		bad := l.failed(name + ".steady")
		return cell{Text: "held", Short: "held", Good: !bad, Bad: bad}
	}
	c := cell{Text: o.text(), Short: o.short(), Bad: o.OwnWallS == nil}
	if n > 1 {
		c.Text += " (worst of " + Count(n) + " outages)"
		c.Short += " ×" + Count(n)
	}
	for _, field := range []string{".gated", ".own", ".steady"} {
		c.Bad = c.Bad || l.failed(name+field)
	}
	return c
}

// gated is whether an outage waited for power or people.
func (o Outage) gated() bool { return o.Gate != "" && o.Gate != "none" }

// text writes an outage for people.
func (o Outage) text() string {
	switch {
	case o.gated() && o.OwnWallS == nil:
		return "waited " + Long(seconds(o.GatedIncidentS)) + ", then dark to the end"
	case o.gated():
		return "waited " + Long(seconds(o.GatedIncidentS)) + ", then " + ownText(o, 1)
	case o.OwnWallS == nil:
		return "dark to the end"
	}
	return "waited for nothing, " + ownText(o, 1)
}

// short writes an outage for a narrow column: 10h08 +0.6s. A question mark says
// that the clients were late beside it.
func (o Outage) short() string {
	own := "dark"
	if o.OwnWallS != nil {
		own = "+" + shortWall(seconds(*o.OwnWallS))
	}
	if o.unsure() != "" {
		own += "?"
	}
	if o.gated() {
		return shortLong(seconds(o.GatedIncidentS)) + " " + own
	}
	return own
}

// ownText is the wall time that software took, with what the clients' own
// lateness leaves open; n is how many outages there were.
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
	own := 0.0
	if o.OwnWallS != nil {
		own = *o.OwnWallS
	}
	var parts []string
	if o.UnsureAfterS > 0 {
		parts = append(parts, "at least "+Wall(seconds(max(own-o.UnsureAfterS, 0))))
	}
	if o.UnsureBeforeS > 0 && !o.gated() {
		parts = append(parts, "at most "+Wall(seconds(own+o.UnsureBeforeS)))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ": clients were late)"
}
