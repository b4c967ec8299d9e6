package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// cut is one powerloss of a stage: for its time it holds sources dead, and the
// hosts that it names itself. A restore releases hosts one after the other;
// for a released host the cut is over.
type cut struct {
	stage     int
	name      string
	at, until experiments.Instant
	hosts     []inventory.Host // its target: what a share counts
	order     []inventory.Host // the target in the seed's order
	sources   map[string]bool
	named     map[string]bool // hosts that are dark whatever their feeds
	steps     []restoreStep
	params    json.RawMessage
	require   string

	released map[string]release
}

// release is when a cut let go of a host, and by which restore.
type release struct {
	at experiments.Instant
	by string
}

// restoreStep is a restore with its names resolved.
type restoreStep struct {
	experiments.Restore
	names map[string]bool
	text  string
}

// cut adds one powerloss to the fold. A selector of sources alone cuts the
// sources; one of sites alone cuts their sources and their hosts; anything else
// cuts the hosts that it picks.
func (b *builder) cut(stage int, s experiments.Stage, f experiments.StageFault, hosts []inventory.Host, until experiments.Instant) {
	c := &cut{
		stage: stage, name: s.Stage, at: s.At, until: until, hosts: hosts, order: inventory.Order(hosts, b.exp.Seed),
		sources: map[string]bool{}, named: map[string]bool{}, params: f.Params, require: f.Require, released: map[string]release{},
	}
	switch {
	case only(f.On, f.On.Power):
		for _, source := range f.On.Power {
			c.sources[source] = true
		}
	case only(f.On, f.On.Site):
		for _, p := range b.inv.Power {
			if slices.Contains(f.On.Site, p.Site) {
				c.sources[p.Name] = true
			}
		}
		fallthrough
	default:
		for _, h := range hosts {
			c.named[h.Name] = true
		}
	}
	for _, r := range f.Restore {
		c.steps = append(c.steps, b.resolve(s.Stage, r, hosts))
	}
	b.cuts = append(b.cuts, c)
}

// only says whether a selector says nothing but the given list.
func only(sel inventory.Selector, list inventory.StringList) bool {
	fields := 0
	for _, l := range []inventory.StringList{sel.Hosts, sel.Site, sel.Room, sel.Rack, sel.Power, sel.Role, sel.Service} {
		if len(l) > 0 {
			fields++
		}
	}
	return len(list) > 0 && fields == 1 && !sel.All && len(sel.Label) == 0 && sel.Share == 0 && sel.Except == nil
}

// resolve finds the hosts that a restore names: hosts, roles or services.
func (b *builder) resolve(stage string, r experiments.Restore, target []inventory.Host) restoreStep {
	step := restoreStep{Restore: r, names: map[string]bool{}, text: stage + ", restore at " + r.At.String()}
	for _, name := range r.Hosts {
		found := false
		services := b.inv.ServiceHosts(name)
		for _, h := range target {
			runs := slices.ContainsFunc(services, func(s inventory.Host) bool { return s.Name == h.Name })
			if h.Name == name || slices.Contains(h.Roles, name) || runs {
				step.names[h.Name], found = true, true
			}
		}
		if !found {
			b.errorf("stage %s, restore at %s: no host, role or service of the fault's target is named %q (its hosts: %s): %w",
				stage, r.At, name, strings.Join(hostNames(target), ", "), inventory.ErrEmpty)
		}
	}
	return step
}

func hostNames(hosts []inventory.Host) []string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	return names
}

func (c *cut) active(at experiments.Instant) bool { return c.at <= at && at < c.until }

// spares says whether a restore has released h from the cut.
func (c *cut) spares(h inventory.Host) bool {
	_, ok := c.released[h.Name]
	return ok
}

// release gives power back to the hosts that the restores up to now ask for, as
// far as their feeds live. What cannot have power yet gets it when it can.
func (b *builder) release(i int, now experiments.Instant) {
	c := b.cuts[i]
	want, by := 0, ""
	for _, step := range c.steps {
		if step.At > now {
			break
		}
		for _, h := range c.hosts {
			if step.names[h.Name] && !c.spares(h) && b.fed(i, h, now) {
				c.released[h.Name] = release{now, step.text}
			}
		}
		if step.Share > 0 {
			want, by = inventory.Count(step.Share, len(c.hosts)), step.text
		}
	}
	for _, h := range c.order {
		if len(c.released) >= want {
			return
		}
		if !c.spares(h) && b.fed(i, h, now) {
			c.released[h.Name] = release{now, by}
		}
	}
}

// fed says whether h would have power if the i-th cut released it. A later cut
// that is itself restored does not count, or two cuts could wait for each other.
func (b *builder) fed(i int, h inventory.Host, now experiments.Instant) bool {
	var others []*cut
	for j, d := range b.cuts {
		if j != i && d.active(now) && (len(d.steps) == 0 || j < i) {
			others = append(others, d)
		}
	}
	return !b.dark(h, others)
}

// dark says whether h has no power under the given active cuts.
func (b *builder) dark(h inventory.Host, cuts []*cut) bool {
	dead := map[string]bool{}
	for _, c := range cuts {
		if c.spares(h) {
			continue
		}
		if c.named[h.Name] {
			return true
		}
		for source := range c.sources {
			dead[source] = true
		}
	}
	return b.starved(h.Feeds, dead)
}

// starved says whether feeds are given and all are dead.
func (b *builder) starved(feeds []string, dead map[string]bool) bool {
	if len(dead) == 0 || len(feeds) == 0 {
		return false
	}
	for _, feed := range feeds {
		source, _ := b.inv.Source(feed)
		if !dead[feed] && !b.starved(source.From, dead) {
			return false
		}
	}
	return true
}

// switchDark says whether a rack's switch has no power. A cut that has released
// a host of the rack has released the switch with it.
func (b *builder) switchDark(r inventory.Rack, cuts []*cut) bool {
	dead := map[string]bool{}
	for _, c := range cuts {
		lit := slices.ContainsFunc(b.inv.Hosts, func(h inventory.Host) bool { return h.Rack == r.Name && c.spares(h) })
		for source := range c.sources {
			if !lit {
				dead[source] = true
			}
		}
	}
	return b.starved(r.Feeds, dead)
}
