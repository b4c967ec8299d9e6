package inventory

import (
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// checks are what a schema cannot say: names that must exist and be unique, and
// power that must come from somewhere.
type checks struct {
	doc  *strict.Document
	root *strict.Node
	// names by what they name: site, room, rack, power source, host, …
	names map[string][]string
	// rackSite is the site of each rack.
	rackSite map[string]string
}

func newChecks(doc *strict.Document) *checks {
	return &checks{doc: doc, root: doc.Root, names: map[string][]string{}, rackSite: map[string]string{}}
}

func (c *checks) run() {
	c.declare()
	c.racks()
	c.power()
	c.hosts()
	c.links()
	for _, service := range c.root.Get("services").List() {
		c.selector(service.Get("hosts"))
		for _, key := range []string{"service", "share"} {
			if p, ok := service.Get("hosts").Pair(key); ok {
				c.doc.AddKey(p, "name hosts, roles or domains", "a service cannot be placed by %s", key)
			}
		}
	}
	for _, step := range c.root.Get("runbook").List() {
		c.known(step.Get("host"), "host")
	}
}

// declare gathers all names and notes those that stand twice.
func (c *checks) declare() {
	for _, site := range c.root.Get("sites").List() {
		c.name(site.Get("name"), "site")
		for _, room := range site.Get("rooms").List() {
			c.name(room.Get("name"), "room")
		}
		for _, rack := range site.Get("racks").List() {
			c.name(rack.Get("name"), "rack")
			if name, ok := rack.Get("name").Text(); ok {
				c.rackSite[name], _ = site.Get("name").Text()
			}
		}
	}
	for _, list := range []struct{ key, name, what string }{
		{"power", "name", "power source"}, {"hosts", "name", "host"}, {"services", "name", "service"}, {"runbook", "step", "runbook step"},
	} {
		for _, n := range c.root.Get(list.key).List() {
			c.name(n.Get(list.name), list.what)
		}
	}
	for _, host := range c.root.Get("hosts").List() {
		for _, role := range host.Get("roles").List() {
			if text, ok := role.Text(); ok && !slices.Contains(c.names["role"], text) {
				c.names["role"] = append(c.names["role"], text)
			}
		}
	}
}

func (c *checks) name(n *strict.Node, what string) {
	name, ok := n.Text()
	if !ok {
		return
	}
	if slices.Contains(c.names[what], name) {
		c.doc.Add(n, "give each "+what+" a name of its own", "%s %q stands twice", what, name)
	}
	c.names[what] = append(c.names[what], name)
}

func (c *checks) known(n *strict.Node, what string) {
	name, ok := n.Text()
	if !ok || slices.Contains(c.names[what], name) {
		return
	}
	remedy := strict.Choices(name, "known "+what+"s", c.names[what])
	if remedy == "" {
		remedy = "this file has no " + what
	}
	c.doc.Add(n, remedy, "no %s is named %q", what, name)
}

func (c *checks) racks() {
	for _, site := range c.root.Get("sites").List() {
		var rooms []string
		for _, room := range site.Get("rooms").List() {
			name, _ := room.Get("name").Text()
			rooms = append(rooms, name)
		}
		for _, rack := range site.Get("racks").List() {
			if room, ok := rack.Get("room").Text(); ok && !slices.Contains(rooms, room) {
				c.doc.Add(rack.Get("room"), strict.Choices(room, "rooms of this site", rooms), "the site has no room %q", room)
			}
			c.feeds(rack)
		}
	}
}

func (c *checks) feeds(n *strict.Node) {
	for _, feed := range n.Get("feeds").List() {
		c.known(feed, "power source")
	}
}

func (c *checks) power() {
	from := map[string][]string{}
	for _, source := range c.root.Get("power").List() {
		c.known(source.Get("site"), "site")
		name, _ := source.Get("name").Text()
		for _, up := range source.Get("from").List() {
			c.known(up, "power source")
			text, _ := up.Text()
			from[name] = append(from[name], text)
		}
	}
	for _, source := range c.root.Get("power").List() {
		name, _ := source.Get("name").Text()
		if path := cycle(from, name, nil); path != nil && slices.Min(path) == name { // told once
			c.doc.Add(source.Get("from"), "let power come from a source that hangs from none of these", "power goes in a circle: %s", strings.Join(path, " from "))
		}
	}
}

// cycle returns the way from a source back to itself.
func cycle(from map[string][]string, name string, path []string) []string {
	if len(path) > 0 && path[0] == name {
		return append(path, name)
	}
	if slices.Contains(path, name) {
		return nil // a circle further up, told at its own source
	}
	path = append(slices.Clone(path), name)
	for _, up := range from[name] {
		if found := cycle(from, up, path); found != nil {
			return found
		}
	}
	return nil
}

func (c *checks) hosts() {
	for _, host := range c.root.Get("hosts").List() {
		c.known(host.Get("site"), "site")
		c.known(host.Get("rack"), "rack")
		site, _ := host.Get("site").Text()
		rack, _ := host.Get("rack").Text()
		if at, ok := c.rackSite[rack]; ok && at != site && slices.Contains(c.names["site"], site) {
			c.doc.Add(host.Get("rack"), "name a rack of the host's site", "rack %s stands in site %s, not in %s", rack, at, site)
		}
		c.feeds(host)
	}
}

// selector checks the names that a selector uses.
func (c *checks) selector(n *strict.Node) {
	for key, what := range map[string]string{
		"hosts": "host", "site": "site", "room": "room", "rack": "rack", "power": "power source", "role": "role", "service": "service",
	} {
		for _, name := range n.Get(key).OneOrMany() {
			c.known(name, what)
		}
	}
	if except := n.Get("except"); except != nil {
		c.selector(except)
	}
}
