package runner

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	haltserver "github.com/firedrill-io/firedrill/injector/internal/halt"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/durable"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// Run carries out a run: all its layouts in turn, in one folder. It returns the
// report whenever there is one; an *InvalidError says that a file is wrong and
// nothing was begun. When ctx ends, everything is reverted first; a cause made by
// HaltedBy makes that a halt.
func Run(ctx context.Context, o Options) (*report.Run, error) {
	id := time.Now().UTC().Format("20060102-150405-") + randomTail()
	run := &report.Run{ID: id, Command: o.Command, Started: time.Now(), Outcome: report.Completed, HostState: report.Clean,
		Versions: map[string]string{"injector": o.Version, "go": runtime.Version()}, Layouts: []report.Layout{}}
	l, err := load(o)
	var stop *stopError
	if err != nil && !errors.As(err, &stop) {
		return nil, err
	}
	dir := filepath.Join(o.Dir, id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create run folder: %w: %w", err, ErrFolder)
	}
	if o.Observer == nil {
		o.Observer = newLines(o.Out)
	}
	rec, recErr := newRecorder(filepath.Join(dir, "events.jsonl"), o.Observer)
	if recErr != nil {
		return nil, recErr
	}
	if stop != nil {
		run.Outcome, run.Reason = stop.outcome, stop.reason
		rec.say(evidence.Refused, "refused: %s", stop.reason)
	} else {
		runLayouts(ctx, run, l, rec, o)
	}
	return run, finish(run, dir, rec, o)
}

func runLayouts(ctx context.Context, run *report.Run, l *loaded, rec *recorder, o Options) {
	run.Experiment, run.Title, run.Seed, run.ClockStart = l.exp.Name, l.exp.Title, l.exp.Seed, l.exp.Clock.Start
	run.Variables = l.exp.Values
	var digests []string
	for _, one := range l.layouts {
		digests = append(digests, one.plan.Digest())
	}
	run.PlanDigest = fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(digests, "\n"))))
	ctx, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	server, err := haltserver.Serve(run.ID, func(who string) { halt(HaltedBy(who)) })
	if err != nil {
		o.Logger.Warn("injector halt cannot reach this run", "error", err)
	}
	var last *layoutRun
	defer func() { answerHalt(server, run, last, filepath.Join(o.Dir, run.ID)) }()
	rec.say(evidence.RunStarted, "run %s: %s, seed %d, plan %.12s", run.ID, l.exp.Name, run.Seed, run.PlanDigest)
	for _, one := range l.layouts {
		dir := filepath.Join(o.Dir, run.ID, ".layout-"+one.folder())
		r := &layoutRun{layout: one, o: o, id: run.ID, dir: dir, rec: rec, halt: halt}
		last = r
		run.Layouts = append(run.Layouts, r.run(ctx))
		if err := r.moveLogs(filepath.Join(o.Dir, run.ID)); err != nil {
			o.Logger.Warn("move logs", "error", err)
		}
		_ = os.RemoveAll(dir)
		if ctx.Err() != nil {
			break
		}
	}
	combine(run)
	if n := len(run.Layouts); n < len(l.layouts) {
		cutShort(run, context.Cause(ctx), l.layouts[n].folder())
	}
}

// cutShort says that the layouts from next on were not run, also when those
// before came to their own end.
func cutShort(run *report.Run, cause error, next string) {
	outcome, reason := report.Interrupted, "interrupted before layout "+next
	var stop *stopError
	if errors.As(cause, &stop) {
		outcome, reason = stop.outcome, stop.reason
	}
	if outcomeRank[outcome] > outcomeRank[run.Outcome] {
		run.Outcome, run.Reason = outcome, reason
	}
	run.AsPredicted = new(bool)
}

// combine makes the run's fields of its layouts': the worst wins.
func combine(run *report.Run) {
	matched := true
	for _, l := range run.Layouts {
		matched = matched && l.Predicted.Match
		if l.HostState == report.Residue {
			run.HostState = report.Residue
		}
		if outcomeRank[l.Outcome] > outcomeRank[run.Outcome] {
			run.Outcome = l.Outcome
			if len(l.Reasons) > 0 {
				run.Reason = l.Reasons[0]
			}
		}
		if verdictRank[l.Verdict] > verdictRank[run.Verdict] {
			run.Verdict = l.Verdict
		}
	}
	run.AsPredicted = &matched
}

// The order of the exit codes, the worst highest.
var (
	outcomeRank = map[report.Outcome]int{report.Completed: 0, report.RefusedRun: 1, report.Halted: 2, report.Interrupted: 3, report.FailedRun: 4}
	verdictRank = map[report.Verdict]int{"": 0, report.Held: 1, report.Deviated: 2, report.Inconclusive: 3}
)

// finish writes everything a run leaves.
func finish(run *report.Run, dir string, rec *recorder, o Options) error {
	run.Ended = time.Now()
	rec.over()
	rec.say(evidence.RunEnded, "report: %s", filepath.Join(dir, "report.html"))
	errs := []error{rec.close()}
	for name, render := range map[string]func(*report.Run) ([]byte, error){
		"report.json": report.JSON, "junit.xml": report.JUnit, "report.html": report.HTML,
	} {
		b, err := render(run)
		if err == nil {
			err = durable.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		errs = append(errs, err)
	}
	o.Observer.End()
	errs = append(errs, report.Summary(o.Out, run))
	return errors.Join(errs...)
}

func randomTail() string {
	b := make([]byte, 3)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
