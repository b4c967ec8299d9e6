package experiments

import (
	"strconv"
	"time"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// load checks the people who use the service.
func (c *checks) load() {
	for _, n := range c.root.Get("load").List() {
		c.unique(n.Get("load"), &c.loads)
		c.request(n.Get("http"))
		c.request(n.Get("rival", "http"))
		first, starts := duration(n.Get("retry", "first"))
		most, ends := duration(n.Get("retry", "max"))
		if starts && ends && most < first {
			c.doc.Add(n.Get("retry", "max"), "choose a max that is not shorter than first", "%s is shorter than the first wait of %s", most, first)
		}
		c.surges(n)
	}
}

// surges checks that one is over before the next begins.
func (c *checks) surges(load *strict.Node) {
	var last Instant
	var over time.Duration // when the surge before ends, in wall time
	for _, n := range load.Get("surges").List() {
		at, timed := instant(n.Get("at"))
		lasts, long := duration(n.Get("for"))
		if !timed {
			continue
		}
		c.within(n.Get("at"), at)
		begins := c.wall(at)
		switch {
		case at < last:
			c.doc.Add(n.Get("at"), "order the surges by time", "%s is before the surge above it at %s", at, last)
		case begins < over:
			c.doc.Add(n.Get("at"), "choose a later instant or a shorter for", "%s comes %s of wall time before the surge above it is over",
				at, (over - begins).Round(time.Millisecond))
		}
		last = max(last, at)
		if long {
			over = max(over, begins+time.Duration(lasts))
		}
		users, times := number(load.Get("users")), number(n.Get("times"))
		if users*times > maxPeople {
			c.doc.Add(n.Get("times"), "choose fewer users or a smaller surge", "%g times %g users are more than %d people", times, users, maxPeople)
		}
	}
}

// wall is the wall time from the clock's start to an instant.
func (c *checks) wall(at Instant) time.Duration {
	var from Instant
	var passed time.Duration
	for _, p := range c.pace {
		if at < p.To {
			return passed + time.Duration(float64(p.Takes)*float64(at-from)/float64(p.To-from))
		}
		from, passed = p.To, passed+time.Duration(p.Takes)
	}
	return passed + time.Duration(at-from)
}

func duration(n *strict.Node) (Duration, bool) {
	text, ok := n.Text()
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(text)
	return d, err == nil
}

// number is 0 for what the schema refuses.
func number(n *strict.Node) float64 {
	v, err := strconv.ParseFloat(strict.Scalar(n.Any()), 64)
	if err != nil {
		return 0
	}
	return v
}
