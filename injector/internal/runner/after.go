package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/clients"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// endedAs holds the events that end an injection, with the journal's word for it.
var endedAs = map[evidence.Type]string{
	evidence.Reverted: "reverted", evidence.Gone: "gone", evidence.Stuck: "stuck", evidence.EndedByPower: "ended-by-powerloss",
}

// takeEvidence records what the agents send until the caller is closed.
func (r *layoutRun) takeEvidence() {
	defer close(r.evidence)
	for s := range r.caller.Events() {
		e := s.Event
		e.Agent = s.Agent
		if e.Type == evidence.AppliedFault {
			var applied fault.Applied
			if json.Unmarshal(e.Data, &applied) == nil {
				r.drive.set(fault.InjectionID(e.Injection), func(r *injectionResult) { r.applied = &applied })
			}
		}
		if phase, ok := endedAs[e.Type]; ok {
			r.drive.set(fault.InjectionID(e.Injection), func(r *injectionResult) { r.end(phase, e.Wall) })
		}
		switch e.Type {
		case evidence.EndedByPower:
			r.drive.endedByBoot(fault.InjectionID(e.Injection))
		case evidence.Halted:
			r.halt(&stopError{outcome: report.Halted, reason: fmt.Sprintf("%s (told to agent %s)", e.Message, e.Agent)})
		case evidence.TookOver:
			var t evidence.Takeover
			if json.Unmarshal(e.Data, &t) != nil || t.Live > 0 {
				r.drive.doubt(tookOver(e.Agent))
			}
		case evidence.LeaseExpired:
			r.drive.doubt(fmt.Sprintf("the lease of %s ran out", e.Injection))
		}
		serious := e.Type == evidence.TookOver || e.Type == evidence.Stuck || e.Type == evidence.LeaseExpired
		if serious && e.Message == "" {
			e.Message = string(e.Type)
		}
		if serious {
			e.Message = strings.TrimSpace(fmt.Sprintf("%s: %s %s", e.Agent, e.Message, e.Injection))
		}
		r.rec.record(e, serious)
	}
}

// changed is called when a probe goes dark or comes back.
func (r *layoutRun) changed(c clients.Change) {
	if !r.rec.begun() {
		return // services are still starting
	}
	e := evidence.Event{Source: evidence.FromClients, Boot: c.At, Wall: time.Now().Add(time.Duration(c.At - bootTime()))}
	if c.Dark {
		e.Type, e.Message = evidence.OutageBegan, fmt.Sprintf("%s is down (%s)", c.Probe, c.Class)
	} else {
		e.Type, e.Message = evidence.OutageEnded, fmt.Sprintf("%s is back after %s", c.Probe, report.Wall(c.For))
	}
	r.rec.event(e)
}

// audit ends the clients' requests and compares what was promised with what the
// disks hold. All has been judged by then: reading back may take as long as it
// takes a busy machine, and has the machine without the clients.
func (r *layoutRun) audit(ctx context.Context) {
	if err := r.stopClients(ctx); err != nil {
		r.doubts = append(r.doubts, "the clients could not be stopped: "+err.Error())
		return
	}
	r.noteLoads()
	for _, l := range r.exp.Ledger {
		a := r.auditOne(ctx, l.Name)
		r.audits = append(r.audits, a)
		r.rec.say(evidence.Note, "ledger %s: %d acknowledged, %d missing, %d elsewhere, %d lost, %d duplicated, %d unknown",
			a.Name, a.Acknowledged, a.Missing, a.Elsewhere, a.Lost, a.Duplicated, a.Unknown)
	}
}

func (r *layoutRun) stopClients(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	return r.collector.Stop(ctx)
}

func (r *layoutRun) auditOne(ctx context.Context, name string) ledger.Audit {
	ctx, cancel := context.WithTimeout(ctx, auditLimit)
	defer cancel()
	return r.collector.Audit(ctx, name)
}

// revertAll makes sure that no injection is left, whatever ended the run.
func (r *layoutRun) revertAll(ctx context.Context) {
	if r.drive == nil || !r.drive.begun() {
		return
	}
	live := r.drive.stillLive()
	if r.outcome == report.Completed && len(live) == 0 {
		return
	}
	defer func() { r.halted = time.Since(r.drive.t0) }()
	ctx, cancel := context.WithTimeout(ctx, haltLimit)
	defer cancel()
	failed := r.drive.haltAll(ctx, r.fleet.names)
	// An agent inside a host that just got its power back reverts at its start.
	for len(failed) > 0 && sleep(ctx, time.Second) {
		failed = r.drive.haltAll(ctx, slices.Sorted(maps.Keys(failed)))
	}
	if len(failed) > 0 {
		r.residue = append(r.residue, fmt.Sprintf("not confirmed as reverted: agents %s", strings.Join(slices.Sorted(maps.Keys(failed)), " ")))
		r.rec.say(evidence.Residue, "not reverted: %s", strings.Join(slices.Sorted(maps.Keys(failed)), " "))
		return
	}
	if !r.drive.hasChanged() {
		r.rec.say(evidence.Reverted, "nothing was changed on %d hosts", len(r.fleet.hosts))
		return
	}
	r.rec.say(evidence.Reverted, "everything reverted on %d hosts", len(r.fleet.hosts))
}

// lastEvidence is how long agents may take to send what they noted of the last ends.
const lastEvidence = time.Second

// awaitEnds waits until the agents' own evidence of every end is there: they send
// it beside their answer, and after a halt nothing else gives it time to come.
func (d *drive) awaitEnds(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	untold := func(r *injectionResult) bool { return r.fired && r.phase != "" && r.ended.IsZero() }
	for len(d.keep(d.plan.Injections, untold)) > 0 && sleep(ctx, 20*time.Millisecond) {
	}
}

// lower stops clients and evidence and takes the ground down.
func (r *layoutRun) lower(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, downLimit)
	defer cancel()
	if r.collector != nil {
		_ = r.collector.Close()
	}
	if r.caller != nil {
		if r.drive != nil {
			r.drive.awaitEnds(ctx, lastEvidence)
		}
		for agent, n := range r.caller.Missing() {
			if r.drive != nil && r.drive.excused(agent) {
				continue
			}
			r.doubts = append(r.doubts, fmt.Sprintf("%d pieces of evidence of agent %s are missing", n, agent))
		}
		r.caller.Close()
		<-r.evidence
	}
	if r.ground == nil {
		return
	}
	residue, err := r.ground.Down(ctx)
	if err != nil {
		residue = append(residue, err.Error())
	}
	r.residue = append(r.residue, residue...)
	if len(residue) > 0 {
		r.rec.say(evidence.Residue, "left on this machine: %s", strings.Join(residue, "; "))
	} else if r.o.Lab {
		r.rec.say(evidence.LabDown, "data centre taken down, nothing left of it")
	}
}

// hostDigest is what a host consisted of, or why that is not known.
type hostDigest struct {
	reply control.DigestReply
	err   error
}

func tolerances(hs []experiments.Hypothesis) string {
	var out []string
	for _, h := range hs {
		out = append(out, fmt.Sprintf("%s %s over %s", h.Probe, h.Tolerance.Availability, h.Tolerance.Over))
	}
	return strings.Join(out, ", ")
}
