package inventory

import (
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/experiments/strict"
)

// links checks that every link says what it joins, and says it once. Of a site
// whose own line has a rate, no link can have another: the lab has one cable a
// site, which keeps one of the two.
func (c *checks) links() {
	joined := map[string]bool{}
	lines := map[string]bool{}
	links := c.root.Get("links").List()
	for _, link := range links {
		c.ends(link)
		c.reserve(link)
		name := linkName(link)
		if name != "" && joined[name] {
			c.doc.Add(link, "say all of it in one link", "%s stands twice", name)
		}
		joined[name] = true
		if site, ok := link.Get("site").Text(); ok {
			lines[site] = true
		}
	}
	for _, link := range links {
		for _, end := range link.Get("between").List() {
			if site, _ := end.Text(); lines[site] && link.Get("rate") != nil {
				c.doc.Add(link.Get("rate"), "leave one of the two rates out", "site %s has a line of its own, which this link would share", site)
			}
		}
	}
}

// ends checks what a link joins.
func (c *checks) ends(link *strict.Node) {
	between, site := link.Get("between"), link.Get("site")
	switch {
	case between != nil && site != nil:
		c.doc.Add(site, "leave one out: between joins two sites, site is the line of one to everybody", "a link has either between or site")
	case between == nil && site == nil && link != nil && link.Kind == strict.Map:
		c.doc.Add(link, "add between: [pangyo, anyang], or site: anyang for the line of one site to everybody", "a link joins nothing")
	}
	for _, end := range between.List() {
		c.known(end, "site")
	}
	if ends := texts(between); len(ends) == 2 && ends[0] == ends[1] {
		c.doc.Add(between, "name two sites", "site %s is linked with itself", ends[0])
	}
	c.known(site, "site")
	if site != nil && between == nil && link.Get("rate") == nil {
		c.doc.Add(link, "add rate: 2mbit", "the line of a site needs a rate: without one it is as every other")
	}
}

// reserve checks who has a share of a link for sure, and that there is enough
// for all.
func (c *checks) reserve(link *strict.Node) {
	reserve := link.Get("reserve")
	if reserve == nil {
		return
	}
	if link.Get("rate") == nil {
		c.doc.Add(reserve, "add rate: 2mbit, or leave reserve out", "a share of a link without a rate says nothing")
	}
	if reserve.Kind == strict.Map && len(reserve.Entries()) == 0 {
		c.doc.Add(reserve, "write it like {tools: 20%}, or leave it out", "reserve says nothing")
	}
	var sum experiments.Ratio
	for _, p := range reserve.Entries() {
		if !slices.Contains(c.names["role"], p.Key) {
			remedy := strict.Choices(p.Key, "known roles", c.names["role"])
			if remedy == "" {
				remedy = "this file has no role"
			}
			c.doc.AddKey(p, remedy, "no role is named %q", p.Key)
		}
		text, _ := p.Value.Text()
		share, err := experiments.ParseRatio(text)
		if err != nil {
			continue // the schema has said so
		}
		if share == 0 {
			c.doc.Add(p.Value, "leave it out, or reserve more", "nothing is reserved for role %s", p.Key)
		}
		sum += share
	}
	if sum > 1+1e-9 {
		c.doc.Add(reserve, "reserve at most 100% in all", "%s of the link are reserved", sum)
	}
}

// linkName names a link, whichever end is written first.
func linkName(link *strict.Node) string {
	if site, ok := link.Get("site").Text(); ok {
		return "the line of " + site
	}
	ends := texts(link.Get("between"))
	if len(ends) != 2 {
		return ""
	}
	slices.Sort(ends)
	return "the link between " + strings.Join(ends, " and ")
}

func texts(list *strict.Node) (out []string) {
	for _, n := range list.List() {
		if text, ok := n.Text(); ok {
			out = append(out, text)
		}
	}
	return out
}
