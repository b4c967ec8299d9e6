package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/judge"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// result has the layout judged. A layout that was refused has no verdict.
func (r *layoutRun) result() report.Layout {
	in := judge.Input{
		Plan: r.carried(), Experiment: r.exp, Inventory: r.inv, Predict: r.predict, T0: r.t0Boot,
		Audits: r.audits, After: r.after, Residue: r.residue, Foreign: r.foreign,
		Findings: findings(r.dir), Doubts: r.doubts, Outcome: r.outcome, Reason: r.reason,
	}
	if r.collector != nil && r.t0Boot != 0 {
		in.Samples, in.Late, in.Loads, in.Writes = r.collector.Samples(), r.collector.Late(), r.seconds(), r.writes()
	}
	for _, i := range in.Plan.Injections {
		in.Reverted = max(in.Reverted, i.End)
	}
	if r.halted > 0 {
		in.Reverted = min(in.Reverted, r.halted)
	}
	if r.drive != nil {
		in.Doubts = append(in.Doubts, r.drive.allDoubts()...)
		in.Faults, in.Steps, in.Gates = r.drive.faults(), r.drive.replayed(), r.drive.gates()
	}
	slices.Sort(in.Doubts)
	in.Doubts = slices.Compact(in.Doubts)
	out := judge.Layout(in)
	out.PlanDigest = r.plan.Digest() // the one that was signed
	if r.drive != nil {
		out.Missing, out.NotInjected = r.drive.missingHosts(), r.drive.notInjected()
	}
	if r.outcome == report.RefusedRun || r.outcome == report.FailedRun {
		out.Verdict, out.Predicted.Match = "", false
	}
	return out
}

// carried is the plan without what was left out.
func (r *layoutRun) carried() *plan.Plan {
	if r.drive == nil {
		return r.plan
	}
	return r.drive.carried()
}

// headline is a layout's result in one line; why a run stopped was said before.
func headline(l report.Layout) string {
	if l.Verdict == "" || l.Outcome != report.Completed {
		return string(l.Outcome)
	}
	text := string(l.Verdict)
	if len(l.Failed) > 0 {
		text += " (" + strings.Join(l.Failed, ", ") + ")"
	}
	switch {
	case l.Predicted.Match:
		text += ", as predicted"
	case l.Predicted.Verdict != "":
		text += ", predicted was " + strings.TrimSpace(fmt.Sprintf("%s %s", l.Predicted.Verdict, strings.Join(l.Predicted.Failed, ", ")))
	}
	if len(l.Reasons) > 0 {
		text += ": " + strings.Join(l.Reasons, "; ")
	}
	return text
}

// faults is what became of every injection, in the plan's order.
func (d *drive) faults() []report.Fault {
	first := d.firstEffects()
	var out []report.Fault
	for _, i := range d.carried().Injections {
		d.set(i.ID, func(r *injectionResult) { out = append(out, d.reportFault(i, r, first[i.Stage])) })
	}
	return out
}

// firstEffects is by how much each stage's first host was late.
func (d *drive) firstEffects() map[string]fault.BootTime {
	first := map[string]fault.BootTime{}
	for _, i := range d.plan.Injections {
		d.set(i.ID, func(r *injectionResult) {
			if r.applied == nil {
				return
			}
			late := effect(r.applied)
			if have, ok := first[i.Stage]; !ok || late < have {
				first[i.Stage] = late
			}
		})
	}
	return first
}

func (d *drive) reportFault(i plan.Injection, r *injectionResult, first fault.BootTime) report.Fault {
	f := report.Fault{
		ID: string(i.ID), Kind: string(i.Kind), Host: i.Host, Stage: i.Stage,
		Asked: asked(i, r.seen), Achieved: measures(r.seen.Achieved), State: string(r.seen.Dose),
		Ended: r.phase, Error: r.err,
	}
	if r.fired {
		f.FromWallS, f.ToWallS = i.Start.Seconds(), d.endWall(i, r).Seconds()
	}
	if r.seen.Called != "" {
		f.Kind = r.seen.Called
	}
	if f.State == "" {
		f.State = string(fault.NotInForce)
	}
	if f.Detail = r.seen.Detail; f.Achieved == "" {
		f.Achieved, f.Detail = f.Detail, ""
	}
	if r.applied != nil {
		f.WakeErrorMS, f.EffectSkewMS = milliseconds(r.applied.Woke-r.applied.At), milliseconds(effect(r.applied)-first)
		f.Timer = r.applied.Timer
		if steps := phases(r.applied); steps != "" {
			f.Achieved = strings.Trim(steps+"; "+f.Achieved, "; ")
		}
	}
	return f
}

// effect is by how much the first change was late: what the plugin marked
// first, or the waking of its thread.
func effect(a *fault.Applied) fault.BootTime {
	if len(a.Phase) > 0 {
		return a.Phase[0].At - a.At
	}
	return a.Woke - a.At
}

// phases says when the plugin was how far, from its first step on.
func phases(a *fault.Applied) string {
	var out []string
	for _, p := range a.Phase[min(1, len(a.Phase)):] {
		out = append(out, fmt.Sprintf("%s after %.1f ms", p.Name, milliseconds(p.At-a.Phase[0].At)))
	}
	return strings.Join(out, ", ")
}

func milliseconds(t fault.BootTime) float64 { return time.Duration(t).Seconds() * 1000 }

func asked(i plan.Injection, o fault.Observation) string {
	if text := measures(o.Asked); text != "" {
		return text
	}
	if params := string(i.Params); params != "" && params != "{}" {
		return params
	}
	return string(i.Kind)
}

const mebibyte = 1 << 20

// measures are figures in words; 2.5e+07 bytes are none.
func measures(ms []fault.Measure) string {
	var out []string
	for _, m := range ms {
		if m.Unit == "bytes" && m.Value >= mebibyte {
			m.Value, m.Unit = m.Value/mebibyte, "MiB"
		}
		text := fmt.Sprintf("%s: %.6g", m.Name, m.Value)
		if !strings.Contains(m.Name, m.Unit) { // "hosts with processes: 0", not "… 0 hosts"
			text += " " + m.Unit
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

// replayed is what became of the runbook steps, in the plan's order.
func (d *drive) replayed() []report.Step {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []report.Step
	for _, s := range d.plan.Runbook {
		step := report.Step{Name: s.Name, IncidentS: time.Duration(s.At).Seconds(), WallS: s.Wall.Seconds(), Source: s.Source}
		for _, done := range d.steps {
			if done.step == s {
				step.WallS, step.OK, step.Output = done.began.Sub(d.t0).Seconds(), done.err == nil, done.output
				if done.err != nil {
					step.Output = done.err.Error()
				}
			}
		}
		out = append(out, step)
	}
	return out
}

// gates are the events that service may have had to wait for: hosts that got
// their power back and runbook steps that were begun.
func (d *drive) gates() []judge.Gate {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []judge.Gate
	for _, i := range d.plan.Injections {
		if r := d.results[i.ID]; i.Kind == powerlossKind && r.fired && r.phase != "" {
			out = append(out, judge.Gate{Kind: judge.Power, Name: i.Host, Wall: d.endWall(i, r)})
		}
	}
	for _, s := range d.steps {
		out = append(out, judge.Gate{Kind: judge.Runbook, Name: s.step.Name, Wall: s.began.Sub(d.t0)})
	}
	return out
}
