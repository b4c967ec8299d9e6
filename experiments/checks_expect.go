package experiments

import (
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

var (
	probeFields  = []string{"own", "gated", "availability"}
	ledgerFields = []string{"lost", "missing", "duplicated", "unaccounted"}
)

// expectations returns the lines that can fail, named <probe|ledger>.<field>.
func (c *checks) expectations() (lines []string) {
	for _, probe := range c.probes {
		lines = append(lines, probe+".steady")
	}
	for _, n := range c.root.Get("expect").List() {
		c.doc.ExactlyOne(n, "add exactly one", "probe", "ledger")
		if n.Get("probe") != nil {
			c.known(n.Get("probe"), "probe", c.probes)
			lines = append(lines, c.fields(n, "probe", probeFields, ledgerFields)...)
		}
		if n.Get("ledger") != nil {
			c.known(n.Get("ledger"), "ledger", c.ledgers)
			lines = append(lines, c.fields(n, "ledger", ledgerFields, probeFields)...)
		}
	}
	return lines
}

func (c *checks) fields(n *strict.Node, what string, own, foreign []string) (lines []string) {
	name, _ := n.Get(what).Text()
	for _, p := range n.Entries() {
		if slices.Contains(own, p.Key) {
			lines = append(lines, name+"."+p.Key)
		}
		if slices.Contains(foreign, p.Key) {
			c.doc.AddKey(p, "a "+what+" has: "+strings.Join(own, ", "), "%s is not a figure of a %s", p.Key, what)
		}
	}
	if len(lines) == 0 {
		c.doc.Add(n, "add one of: "+strings.Join(own, ", "), "nothing is expected of %q", name)
	}
	return lines
}

func (c *checks) layouts(lines []string) {
	for _, p := range c.root.Get("layouts").Entries() {
		if !isName(p.Key) {
			c.doc.AddKey(p, "write small letters, digits and -", "%q is not allowed as a name", p.Key)
		}
		predict := p.Value.Get("predict")
		verdict, _ := predict.Get("verdict").Text()
		fails := predict.Get("fails")
		for _, n := range fails.List() {
			line, ok := n.Text()
			if ok && !slices.Contains(lines, line) {
				c.doc.Add(n, strict.Choices(line, "lines of this file", lines), "no line of a verdict is named %q", line)
			}
		}
		if verdict == "held" && len(fails.List()) > 0 {
			c.doc.Add(fails, "leave fails out or predict deviated", "a layout that holds has no failed lines")
		}
		if verdict == "deviated" && len(fails.List()) == 0 {
			c.doc.Add(predict, "name the lines under fails", "a layout that deviates has failed lines")
		}
	}
}
