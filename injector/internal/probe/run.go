package probe

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// Run sends the probe's requests until ctx ends and hands each Sample to out,
// which must not block for long. It returns when the last request has ended.
// Requests that ctx ended give no sample.
func Run(ctx context.Context, spec Spec, clock Clock, out func(Sample)) {
	// A dialler sees a deadline pass by its own timer, before ctx says that it
	// ended: the last attempt would be a time-out of the service. So attempts are
	// cancelled, and know no deadline but their own.
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	p := &prober{spec: spec, sender: NewSender(spec.Timeout)}
	Loop(ctx, clock, spec.Every, Limit(spec.Every, spec.Timeout, spec.Addresses()), func(n int, due int64, saturated bool) {
		s := Sample{Probe: spec.Name, Due: due, Start: clock()}
		if saturated {
			s.Class = Saturated
			out(s)
			return
		}
		answer, tries := p.ask(attempts, n)
		if ctx.Err() != nil {
			return
		}
		s.Latency = time.Duration(clock() - s.Start)
		s.Class, s.OK, s.Status, s.Tries = answer.Class, answer.Class == OK, answer.Status, tries
		out(s)
	})
}

type prober struct {
	spec   Spec
	sender *Sender
	first  Sticky
}

// ask tries the addresses, the one that answered last first.
func (p *prober) ask(ctx context.Context, n int) (Answer, int) {
	if p.spec.HTTP == nil {
		return p.first.Try(ctx, len(p.spec.TCP), func(at int) Answer { return Connect(ctx, p.spec.TCP[at], p.spec.Timeout) })
	}
	return p.sender.Ask(ctx, *p.spec.HTTP, n, &p.first)
}

// Number puts n in the place of every ${n}.
func Number(template string, n int) string {
	return strings.ReplaceAll(template, "${n}", strconv.Itoa(n))
}
