package plan

import (
	"encoding/json"
	"slices"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// everybody is cut off from a host behind a dark switch.
var everybody = json.RawMessage(`{"to":["0.0.0.0/0","::/0"]}`)

// condition is what the fold finds of one host at one instant.
type condition int

const (
	normal condition = iota
	dark             // no power
	cutOff           // power, but a dark switch
)

// span is a condition of one host that holds until it changes.
type span struct {
	is    condition
	from  experiments.Instant
	cause *cut
}

// foldPower turns all power cuts into one timeline a host and plans one
// injection for each span in which the host is dark or cut off.
func (b *builder) foldPower() {
	if len(b.cuts) == 0 {
		return
	}
	spans := map[string]span{}
	for _, now := range b.instants() {
		for i, c := range b.cuts {
			if c.active(now) {
				b.release(i, now)
			}
		}
		var active []*cut
		for _, c := range b.cuts {
			if c.active(now) {
				active = append(active, c)
			}
		}
		for _, h := range b.inv.Targets() {
			b.turn(spans, h, now, active)
		}
		b.touch(active, spans, now)
	}
	for _, h := range b.inv.Targets() {
		b.close(spans[h.Name], h, b.last())
	}
}

// instants are all at which power may change, in order, up to the clock's end.
func (b *builder) instants() []experiments.Instant {
	var out []experiments.Instant
	for _, c := range b.cuts {
		out = append(out, c.at, c.until)
		for _, step := range c.steps {
			out = append(out, step.At)
		}
	}
	out = slices.DeleteFunc(out, func(i experiments.Instant) bool { return i >= b.last() })
	slices.Sort(out)
	return slices.Compact(out)
}

// turn notes what h is from now on.
func (b *builder) turn(spans map[string]span, h inventory.Host, now experiments.Instant, active []*cut) {
	is := normal
	rack, _ := b.inv.RackOf(h)
	switch {
	case b.dark(h, active):
		is = dark
	case b.switchDark(rack, active):
		is = cutOff
	}
	was := spans[h.Name]
	if was.is == is {
		return
	}
	b.close(was, h, now)
	spans[h.Name] = span{is: is, from: now, cause: b.cause(h, rack, is, now, active)}
}

// cause is the cut to which a span is put down: the one that begins with it, or
// else the first that holds it.
func (b *builder) cause(h inventory.Host, rack inventory.Rack, is condition, now experiments.Instant, active []*cut) *cut {
	if is == normal {
		return nil
	}
	var first *cut
	for _, c := range active {
		feeds := h.Feeds
		if is == cutOff {
			feeds = rack.Feeds
		}
		touches := c.named[h.Name] && is == dark || b.hangsOn(feeds, c.sources)
		if !touches || c.spares(h) {
			continue
		}
		if c.at == now {
			return c
		}
		if first == nil {
			first = c
		}
	}
	return first
}

// hangsOn says whether one of the sources feeds one of the feeds.
func (b *builder) hangsOn(feeds []string, sources map[string]bool) bool {
	return slices.ContainsFunc(feeds, func(feed string) bool {
		source, _ := b.inv.Source(feed)
		return sources[feed] || b.hangsOn(source.From, sources)
	})
}

// close plans the injection of a span that ends.
func (b *builder) close(s span, h inventory.Host, until experiments.Instant) {
	if s.is == normal || s.cause == nil || until <= s.from {
		return
	}
	i := Injection{
		Stage: s.cause.name, Kind: powerloss, Host: h.Name, Params: s.cause.params,
		From: s.from, Until: until, Require: s.cause.require,
	}
	if s.is == cutOff {
		i.Kind, i.Params, i.Require = partition, everybody, ""
	} else {
		i.Restore = b.restoredBy(h, until)
	}
	info, ok := b.infos[i.Kind]
	if !ok {
		b.errorf("stage %s: the rack switch of %s goes dark, which needs the fault %q", i.Stage, h.Name, i.Kind)
		return
	}
	info = info.In(i.Params)
	i.OutOfBand, i.HostStays = info.OutOfBand, info.HostStays
	b.add(i)
}

// restoredBy names the restore that ended a dark span, if one did.
func (b *builder) restoredBy(h inventory.Host, until experiments.Instant) string {
	for _, c := range b.cuts {
		if r, ok := c.released[h.Name]; ok && r.at == until {
			return r.by
		}
	}
	return ""
}

// touch notes, when a cut begins, which hosts it holds dark or cut off: also
// those that were dark already.
func (b *builder) touch(active []*cut, spans map[string]span, now experiments.Instant) {
	for _, c := range active {
		if c.at != now {
			continue
		}
		for _, h := range b.inv.Targets() {
			held := c.named[h.Name] || b.hangsOn(h.Feeds, c.sources)
			s := spans[h.Name]
			if s.is == dark && held || s.cause == c && s.is != normal {
				b.hit[c.stage][h.Name] = true
			}
		}
	}
}

// refuseDark refuses a fault that begins on a host without power: nobody there
// could start it.
func (b *builder) refuseDark() {
	for _, i := range b.Injections {
		for _, p := range b.Injections {
			if i.Kind != powerloss && p.Kind == powerloss && !p.HostStays && i.Host == p.Host && p.From <= i.From && i.From < p.Until {
				b.errorf("%s begins at %s while %s is dark (%s, until %s): %w", i.ID, i.From, i.Host, p.ID, p.Until, ErrRefused)
			}
		}
	}
}
