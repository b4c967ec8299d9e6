package experiments

import (
	"slices"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// powerloss is the one kind whose stages are folded into a power timeline, and
// so the one that can be restored in steps.
const powerloss = "powerloss"

func (c *checks) stages() {
	var names []string
	last := Instant(0)
	for _, n := range c.root.Get("stages").List() {
		if name, ok := n.Get("stage").Text(); ok {
			if slices.Contains(names, name) {
				c.doc.Add(n.Get("stage"), "give each stage a name of its own", "stage %q stands twice", name)
			}
			names = append(names, name)
		}
		at, timed := instant(n.Get("at"))
		if timed {
			if at < last {
				c.doc.Add(n.Get("at"), "order the stages by time", "%s is before the stage above it at %s", at, last)
			}
			last = max(last, at)
			c.within(n.Get("at"), at)
		}
		if n.Kind == strict.Map && n.Get("faults") == nil && n.Get("note") == nil {
			c.doc.Add(n, "add faults: […], or note: what happened", "the stage has neither faults nor a note")
		}
		for _, fault := range n.Get("faults").List() {
			c.fault(fault, at, timed)
		}
	}
}

// fault checks one fault of a stage that begins at start.
func (c *checks) fault(n *strict.Node, start Instant, timed bool) {
	kinds := c.kinds(n)
	until, ends := instant(n.Get("until"))
	lasting, hasFor := n.Pair("for")
	switch {
	case n.Get("until") != nil && hasFor:
		c.doc.AddKey(lasting, "keep one of the two", "until and for exclude each other")
	case n.Get("until") == nil && !hasFor && c.end == 0 && n.Kind == strict.Map:
		c.doc.Add(n, "add until: T+… or for: …", "nothing ends this fault: the clock has no pace")
	}
	if ends {
		c.within(n.Get("until"), until)
		if timed && until <= start {
			c.doc.Add(n.Get("until"), "choose a later instant", "%s is not after the stage's start at %s", until, start)
		}
	}
	if optional, ok := n.Pair("optional"); ok && len(kinds) == 1 && kinds[0] == powerloss {
		c.doc.AddKey(optional, "leave it out: a host can lose its power or is missing", "powerloss cannot be optional")
	}
	if restore, ok := n.Pair("restore"); ok {
		if len(kinds) == 1 && kinds[0] != powerloss {
			c.doc.AddKey(restore, "only powerloss can be restored in steps: use until or for", "restore under %s", kinds[0])
		}
		c.restores(restore.Value, start, until, ends)
	}
}

// kinds returns the known kinds among the keys of a fault; other keys the schema
// refuses by itself.
func (c *checks) kinds(n *strict.Node) (kinds []string) {
	strange := false
	for _, p := range n.Entries() {
		if _, ok := c.faults[p.Key]; !ok {
			strange = strange || !faultKeys[p.Key]
			continue
		}
		kinds = append(kinds, p.Key)
		if len(kinds) == 2 {
			c.doc.AddKey(p, "write two faults", "one fault has two kinds, %s and %s", kinds[0], p.Key)
		}
	}
	if len(kinds) == 0 && !strange && n.Kind == strict.Map {
		c.doc.Add(n, "write the kind as a key: powerloss: {}", "the fault has no kind")
	}
	return kinds
}

func (c *checks) restores(list *strict.Node, start, until Instant, ends bool) {
	last, share := start, Ratio(0)
	for _, n := range list.List() {
		if n.Kind == strict.Map && n.Get("hosts") == nil && n.Get("share") == nil {
			c.doc.Add(n, "add hosts: [role or host] or share: 50%", "the restore gives power to nobody")
		}
		if at, ok := instant(n.Get("at")); ok {
			if at <= last {
				c.doc.Add(n.Get("at"), "order the restores by time", "%s is not after %s", at, last)
			}
			if ends && at > until {
				c.doc.Add(n.Get("at"), "a restore comes before the fault's end", "%s is after the fault's end at %s", at, until)
			}
			c.within(n.Get("at"), at)
			last = max(last, at)
		}
		text, _ := n.Get("share").Text()
		if r, err := ParseRatio(text); err == nil {
			if r < share {
				c.doc.Add(n.Get("share"), "a share counts all that have power by then", "%s is less than the %s before it", r, share)
			}
			share = max(share, r)
		}
	}
}

func (c *checks) runbook() {
	var layouts []string
	for _, p := range c.root.Get("layouts").Entries() {
		layouts = append(layouts, p.Key)
	}
	last := Instant(0)
	for _, n := range c.root.Get("runbook").List() {
		if at, ok := instant(n.Get("at")); ok {
			c.within(n.Get("at"), at)
			if at < last {
				c.doc.Add(n.Get("at"), "order the runbook by time", "%s is before the step above it at %s", at, last)
			}
			last = max(last, at)
		}
		for _, name := range n.Get("layouts").List() {
			c.known(name, "layout", layouts)
		}
	}
}
