package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/clients"
	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// Limits of the steps around the drive.
const (
	settleLimit = 30 * time.Second
	stopLimit   = 60 * time.Second // for the clients' last requests
	auditLimit  = 3 * time.Minute  // for one ledger
	haltLimit   = 45 * time.Second
	downLimit   = 60 * time.Second
)

// layoutRun is one layout while it runs.
type layoutRun struct {
	*layout
	o   Options
	id  string // of the run
	dir string // of this layout, below the run's
	rec *recorder
	// halt ends the whole run with a *stopError as its cause.
	halt context.CancelCauseFunc

	ground    ground
	caller    *control.Caller
	evidence  chan struct{} // closed when the last evidence is recorded
	fleet     *fleet
	collector *clients.Collector
	drive     *drive
	before    found

	t0Boot  int64
	halted  time.Duration // from T0, when everything was reverted after a halt
	outcome report.Outcome
	reason  string
	doubts  []string
	after   map[string]judge.Steadiness
	audits  []ledger.Audit
	residue []string
	foreign []string
}

// run goes through the whole layout and returns its result. Whatever happens,
// all faults are reverted and the ground is taken down before it returns.
func (r *layoutRun) run(ctx context.Context) report.Layout {
	r.rec.begin(r.layout)
	r.outcome = report.Completed
	r.rec.say(evidence.LayoutStarted, "%s", strings.TrimSuffix("layout "+r.folder()+": "+r.exp.Title, ": "))
	err := r.raise(ctx)
	if err == nil {
		err = r.rehearse(ctx)
	}
	r.settleOutcome(ctx, err)
	r.revertAll(context.WithoutCancel(ctx))
	r.compareDigests(context.WithoutCancel(ctx))
	r.lower(context.WithoutCancel(ctx))
	out := r.result()
	r.o.Observer.Judged(out)
	r.rec.say(evidence.LayoutEnded, "layout %s: %s", r.folder(), headline(out))
	return out
}

// raise brings everything up to the point where agents and services run.
func (r *layoutRun) raise(ctx context.Context) (err error) {
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return fmt.Errorf("create folder of layout %s: %w", r.name, err)
	}
	began := time.Now()
	if r.o.Lab {
		r.rec.say(evidence.Note, "raising the data centre: %d hosts", len(r.inv.Hosts))
		r.ground, err = raiseLab(ctx, r.layout, r.dir, r.o)
	} else {
		r.ground, err = joinHosts(r.o)
	}
	if err != nil {
		return asRefusal(err)
	}
	nc, key := r.ground.Link()
	if r.caller, err = control.NewCaller(nc, key, r.id, r.plan.Digest()); err != nil {
		return err
	}
	r.fleet = newFleet(r.caller, r.inv, r.plan)
	r.drive = &drive{plan: r.plan, agents: r.caller, route: r.fleet.route, behind: r.fleet.behind, missing: r.exp.Limits.Missing,
		log: r.rec.event, step: r.ground.Step}
	r.drive.reset()
	r.evidence = make(chan struct{})
	go r.takeEvidence()
	if err := r.ground.Begin(ctx); err != nil {
		return asRefusal(err)
	}
	if err := r.muster(ctx); err != nil {
		return err
	}
	r.rec.say(evidence.LabUp, "up after %.1f s: %d agents, each with the key of this run", time.Since(began).Seconds(), len(r.fleet.names))
	return r.fleet.able(r.carried())
}

// muster waits for the agents. It leaves out the hosts of those that do not
// come, as many as the file allows; some must be left to act on.
func (r *layoutRun) muster(ctx context.Context) error {
	missing, err := r.fleet.await(ctx, r.o.patience())
	if err != nil || len(missing) == 0 {
		return err
	}
	var hosts []string
	for _, agent := range missing {
		hosts = append(hosts, r.fleet.behind(agent)...)
	}
	why := fmt.Sprintf("its agent is not reachable within %s", r.o.patience())
	if !r.drive.goWithout(hosts, why) {
		return refuse("agents not reachable within %s: %s; check that they run and dial this broker, or allow that many hosts with limits.missing",
			r.o.patience(), strings.Join(missing, " "))
	}
	if len(r.plan.Injections) > 0 && len(r.carried().Injections) == 0 {
		return refuse("no fault is left without %s", strings.Join(hosts, " "))
	}
	r.fleet.leave(hosts)
	return nil
}

// rehearse waits for the steady state, drives the plan and looks at what is left.
func (r *layoutRun) rehearse(ctx context.Context) error {
	if err := r.startClients(ctx); err != nil {
		return err
	}
	if err := r.steadyBefore(ctx); err != nil {
		return err
	}
	if rs := rounds(r.carried()); len(rs) > 0 {
		r.drive.t0 = time.Now().Add(max(0, -rs[0].prepare) + 500*time.Millisecond)
	} else {
		r.drive.t0 = time.Now()
	}
	r.t0Boot = bootTime() + int64(time.Until(r.drive.t0))
	r.rec.incident(r.drive.t0, r.t0Boot)
	if err := r.collector.Begin(ctx, r.t0Boot); err != nil {
		return asRefusal(err)
	}
	stop := r.judging(ctx)
	unwatch, err := r.watchStops(ctx, r.halt)
	if err == nil {
		err = r.drive.run(ctx)
	}
	unwatch()
	stop()
	r.fleet.leave(r.drive.hostsLeftOut())
	r.drive.dismiss(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	return r.steadyAfter(ctx)
}

func (r *layoutRun) startClients(ctx context.Context) error {
	host, _ := clientsHost(r.inv)
	config, err := clients.NewConfig(r.exp, func(text string) (string, error) { return r.inv.Expand(text, host) }, r.plan.WallAt)
	if err != nil {
		return refuse("configure clients: %v", err)
	}
	conn, err := r.ground.Clients()
	if err != nil {
		return asRefusal(err)
	}
	r.collector = clients.NewCollector(conn, config, r.changed)
	r.collector.Feed(r.people())
	if err := r.collector.Start(ctx); err != nil {
		return refuse("start clients: %v", err)
	}
	return nil
}

// steadyBefore waits for the hypothesis, has the hosts write everything to disk,
// takes their digests and makes sure that the hypothesis still holds.
func (r *layoutRun) steadyBefore(ctx context.Context) error {
	r.rec.say(evidence.Note, "waiting for the steady state")
	state, ok := awaitSteady(ctx, r.collector, r.exp.Hypothesis, steadyLimit)
	if !ok {
		return r.refuseUnsteady(ctx, state)
	}
	settling, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	if err := r.ground.Settle(settling); err != nil {
		return asRefusal(err)
	}
	if err := r.digestBefore(ctx); err != nil {
		return err
	}
	if state, ok = awaitSteady(ctx, r.collector, r.exp.Hypothesis, recoverLimit); !ok {
		return r.refuseUnsteady(ctx, state)
	}
	r.rec.say(evidence.HypothesisHeld, "steady: %s", tolerances(r.exp.Hypothesis))
	return nil
}

func (r *layoutRun) refuseUnsteady(ctx context.Context, state map[string]judge.Steadiness) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	why := unsteady(state)
	if found := findings(r.dir); len(found) > 0 {
		why += "; " + found[0]
	}
	r.rec.say(evidence.HypothesisBroke, "not steady: %s", why)
	return refuse("the hypothesis does not hold before the first stage: %s", why)
}

// steadyAfter asks whether service is back to its steady state, and audits the ledgers.
func (r *layoutRun) steadyAfter(ctx context.Context) error {
	state, ok := awaitSteady(ctx, r.collector, r.exp.Hypothesis, recoverLimit)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.after = state
	if ok {
		r.rec.say(evidence.HypothesisHeld, "steady again")
	} else {
		r.rec.say(evidence.HypothesisBroke, "not steady again: %s", unsteady(state))
	}
	r.audit(ctx)
	r.doubts = append(r.doubts, r.fleet.doubts(ctx)...)
	return nil
}

// settleOutcome turns the error that ended the layout into its outcome.
func (r *layoutRun) settleOutcome(ctx context.Context, err error) {
	var stop *stopError
	switch {
	case err == nil:
		return
	case errors.As(context.Cause(ctx), &stop):
		r.outcome, r.reason = stop.outcome, stop.reason
		r.rec.say(evidence.Halted, "%s: reverting everything", stop.reason)
	case ctx.Err() != nil:
		r.outcome, r.reason = report.Interrupted, "interrupted before its end"
		r.rec.say(evidence.Halted, "interrupted: reverting everything")
	case errors.As(err, &stop):
		r.outcome, r.reason = stop.outcome, stop.reason
	default:
		r.outcome, r.reason = report.FailedRun, err.Error()
	}
	if ctx.Err() == nil {
		typ := evidence.Failed
		if r.outcome == report.RefusedRun {
			typ = evidence.Refused
		}
		r.rec.say(typ, "%s: %s", r.outcome, r.reason)
	}
}

// asRefusal says that what could not be set up before the first change is a
// refusal, not a fault of our own.
func asRefusal(err error) error {
	var stop *stopError
	if err == nil || errors.As(err, &stop) {
		return err
	}
	return refuse("%v", err)
}

// moveLogs moves the layout's service logs to the run's logs/<host>/<layout>.
func (r *layoutRun) moveLogs(run string) error {
	hosts, err := os.ReadDir(filepath.Join(r.dir, "logs"))
	if err != nil {
		return nil // nothing was logged
	}
	for _, h := range hosts {
		to := filepath.Join(run, "logs", h.Name())
		if err := os.MkdirAll(to, 0o755); err != nil {
			return fmt.Errorf("move logs: %w", err)
		}
		if err := os.Rename(filepath.Join(r.dir, "logs", h.Name()), filepath.Join(to, r.folder())); err != nil {
			return fmt.Errorf("move logs: %w", err)
		}
	}
	return nil
}
