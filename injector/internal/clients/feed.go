package clients

import (
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Feed is shown every sample, every write and every second of a load as it comes in. Its methods are
// called from the Collector's reader and must return at once.
type Feed interface {
	Sample(s probe.Sample)
	Write(w ledger.Write)
	Second(s crowd.Second)
}

// Feed has f shown what comes in from now on.
func (c *Collector) Feed(f Feed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.feed = f
}

// pass shows the feed one line.
func (c *Collector) pass(l line) {
	c.mu.Lock()
	f := c.feed
	c.mu.Unlock()
	switch {
	case f == nil:
	case l.Sample != nil:
		f.Sample(*l.Sample)
	case l.Write != nil:
		f.Write(*l.Write)
	case l.Second != nil:
		f.Second(*l.Second)
	}
}
