package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// sayMoved is how often, at most, a line says how many people are at a rival.
const sayMoved = 5 * time.Second

// people is the observer of a layout's clients that notes besides who goes to a
// rival and comes back. Its methods are called from one goroutine.
type people struct {
	Observer
	begun func() bool // whether the incident's clock runs
	log   func(evidence.Event)
	said  map[string]crowd.Second // the last one there was a line of
}

func (r *layoutRun) people() *people {
	return &people{Observer: r.o.Observer, begun: r.rec.begun, log: r.rec.event, said: map[string]crowd.Second{}}
}

// Second takes in one second of a load.
func (p *people) Second(s crowd.Second) {
	p.Observer.Second(s)
	last := p.said[s.Load]
	if !p.begun() || s.Moved == last.Moved || s.Moved != 0 && last.Moved != 0 && s.From-last.From < int64(sayMoved) {
		return
	}
	p.said[s.Load] = s
	text := fmt.Sprintf("load %s: %d of %d people are at the rival", s.Load, s.Moved, s.People)
	if s.Moved == 0 {
		text = fmt.Sprintf("load %s: nobody is at the rival any more", s.Load)
	}
	at := s.From + int64(time.Second)
	p.log(evidence.Event{Type: evidence.PeopleMoved, Source: evidence.FromClients, Boot: at,
		Wall: time.Now().Add(time.Duration(at - bootTime())), Message: text})
}

// surge says when more people come; the clients let them come by themselves.
func (d *drive) surge(ctx context.Context, name string, s plan.Surge) {
	if d.until(ctx, s.Wall) {
		d.log(evidence.Event{Type: evidence.Surged, Message: fmt.Sprintf("load %s: %g times as many people, %d more, for %s", name, s.Times, s.Extra, s.For)})
	}
}

// noteLoads sums up the loads for the run log, from T0 on as the report does.
func (r *layoutRun) noteLoads() {
	for _, l := range r.plan.Loads {
		var sum crowd.Second
		for _, s := range r.collector.Seconds(l.Name) {
			if s.From < r.t0Boot {
				continue
			}
			sum.Requests, sum.Answered = sum.Requests+s.Requests, sum.Answered+s.Answered
			sum.RivalRequests, sum.Moved = sum.RivalRequests+s.RivalRequests, max(sum.Moved, s.Moved)
		}
		r.rec.say(evidence.Note, "load %s: %d requests, %d answered; at most %d people at the rival, %d requests there",
			l.Name, sum.Requests, sum.Answered, sum.Moved, sum.RivalRequests)
	}
}

// seconds are all loads so far.
func (r *layoutRun) seconds() map[string][]crowd.Second {
	out := map[string][]crowd.Second{}
	for _, l := range r.plan.Loads {
		out[l.Name] = r.collector.Seconds(l.Name)
	}
	return out
}

// writes are all of the ledgers so far.
func (r *layoutRun) writes() map[string][]ledger.Write {
	out := map[string][]ledger.Write{}
	for _, l := range r.exp.Ledger {
		out[l.Name] = r.collector.Writes(l.Name)
	}
	return out
}
