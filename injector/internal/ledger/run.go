package ledger

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Run sends the ledger's writes until ctx ends and hands each Write to out,
// which must not block for long. A write that has begun is finished: its
// attempts run to their end after ctx has ended, so that no write is left
// unknown by the writer itself. Run returns when the last one has ended.
func Run(ctx context.Context, spec Spec, clock probe.Clock, out func(Write)) {
	w := &writer{spec: spec, sender: probe.NewSender(spec.Timeout), clock: clock}
	limit := probe.Limit(spec.Every, spec.Timeout, spec.Attempts)
	probe.Loop(ctx, clock, spec.Every, limit, func(n int, due int64, saturated bool) {
		if saturated {
			out(Write{Ledger: spec.Name, N: n, Due: due, Start: clock(), State: Refused, Class: probe.Saturated})
			return
		}
		out(w.write(context.WithoutCancel(ctx), n, due))
	})
}

type writer struct {
	spec   Spec
	sender *probe.Sender
	clock  probe.Clock
	first  probe.Sticky
}

// write makes attempts until one is acknowledged. One attempt that may have
// reached a store makes the whole write unknown.
func (w *writer) write(ctx context.Context, n int, due int64) Write {
	req := w.spec.HTTP
	body := probe.Number(req.Body, n)
	done := Write{Ledger: w.spec.Name, N: n, Due: due, Start: w.clock(), State: Refused}
	first := w.first.Index()
	for try := range w.spec.Attempts {
		at := (first + try) % len(req.URLs)
		answer := w.sender.Try(ctx, req.Method, probe.Number(req.URLs[at], n), body, req.Expect)
		done.Attempts, done.Class = try+1, answer.Class
		if answer.Class == probe.OK {
			w.first.Worked(at)
			done.State = Acknowledged
			break
		}
		if mayBeStored(answer) {
			done.State = Unknown
		}
	}
	done.Latency = time.Duration(w.clock() - done.Start)
	return done
}

// mayBeStored says whether an attempt without acknowledgement can have stored
// the write all the same. A 4xx is a clear no; a 5xx is not, as the server may
// have lost only the answer of the store behind it.
func mayBeStored(a probe.Answer) bool {
	if a.Class == probe.BadStatus {
		return a.Status < 400 || a.Status >= 500
	}
	return a.Sent
}
