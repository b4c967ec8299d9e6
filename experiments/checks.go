package experiments

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// checks are what a schema cannot say: names that must exist, times that must
// be in order. They read the file's nodes, not the decoded experiment, so that
// they also run over a file with other problems; a value that the schema
// refuses is skipped here.
type checks struct {
	doc     *strict.Document
	root    *strict.Node
	probes  []string
	ledgers []string
	loads   []string
	faults  map[string]json.RawMessage
	// end is the last instant of the clock; 0 if the clock has no pace.
	end  Instant
	pace []Pace
}

func newChecks(doc *strict.Document, faults map[string]json.RawMessage) *checks {
	return &checks{doc: doc, root: doc.Root, faults: faults}
}

func (c *checks) run() {
	c.clock()
	c.hypothesis()
	c.ledger()
	c.load()
	c.stages()
	c.stop()
	c.runbook()
	lines := c.expectations()
	c.layouts(lines)
	for _, n := range c.root.Get("compare").List() {
		c.known(n.Get("probe"), "probe", c.probes)
	}
}

func (c *checks) clock() {
	last := Instant(0)
	for _, stretch := range c.root.Get("clock", "pace").List() {
		to, ok := instant(stretch.Get("to"))
		if !ok {
			continue
		}
		if to <= last {
			c.doc.Add(stretch.Get("to"), "order the stretches by time", "%s is not after %s: the pace goes forward", to, last)
		}
		if takes, ok := duration(stretch.Get("takes")); ok && to > last {
			c.pace = append(c.pace, Pace{To: to, Takes: takes})
		}
		last = max(last, to)
	}
	c.end = last
}

func (c *checks) hypothesis() {
	for _, n := range c.root.Get("hypothesis").List() {
		c.unique(n.Get("probe"), &c.probes)
		c.doc.ExactlyOne(n, "add exactly one", "http", "tcp")
		c.request(n.Get("http"))
	}
}

func (c *checks) ledger() {
	for _, n := range c.root.Get("ledger").List() {
		c.unique(n.Get("name"), &c.ledgers)
		http := n.Get("http")
		c.request(http)
		if http == nil {
			continue
		}
		numbered := false
		for _, text := range append(http.Get("post").OneOrMany(), http.Get("get"), http.Get("body")) {
			s, _ := text.Text()
			numbered = numbered || strings.Contains(s, "${"+numberOfWrite+"}")
		}
		if !numbered {
			c.doc.Add(http, "put ${n} into the body or the address", "the ledger's writes carry no number")
		}
	}
}

func (c *checks) request(http *strict.Node) {
	if http != nil {
		c.doc.ExactlyOne(http, "add exactly one", "get", "post")
	}
}

// unique notes a name that stands already in one of the lists, since probes,
// ledgers and loads stand side by side in what is shown.
func (c *checks) unique(n *strict.Node, names *[]string) {
	name, ok := n.Text()
	if !ok {
		return
	}
	if slices.Contains(c.probes, name) || slices.Contains(c.ledgers, name) || slices.Contains(c.loads, name) {
		c.doc.Add(n, "probes, ledgers and loads need names of their own", "name %q is used twice", name)
	}
	*names = append(*names, name)
}

func (c *checks) known(n *strict.Node, what string, names []string) bool {
	name, ok := n.Text()
	if !ok {
		return false
	}
	if !slices.Contains(names, name) {
		remedy := strict.Choices(name, "known "+what+"s", names)
		if remedy == "" {
			remedy = "this file has no " + what
		}
		c.doc.Add(n, remedy, "no %s is named %q", what, name)
		return false
	}
	return true
}

// within notes an instant behind the end of the clock.
func (c *checks) within(n *strict.Node, at Instant) {
	if c.end > 0 && at > c.end {
		c.doc.Add(n, "lengthen clock.pace or choose an earlier instant", "%s is after the clock's end at %s", at, c.end)
	}
}

func instant(n *strict.Node) (Instant, bool) {
	text, ok := n.Text()
	if !ok {
		return 0, false
	}
	at, err := ParseInstant(text)
	return at, err == nil
}

// isName says whether a key can be the name of a layout: it becomes the name of
// a folder.
func isName(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') {
			return false
		}
	}
	return s != "" && s[0] != '-' && s[len(s)-1] != '-'
}
