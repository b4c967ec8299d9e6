package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// ErrRefused marks a plan that is understood but must not be carried out: faults
// that conflict, a blast radius over the limits, an unattended stage that does
// not say so. Any other error of New means that the files do not fit together.
var ErrRefused = errors.New("plan refused")

// FaultError is what is wrong with one fault of one stage, both counted from 0,
// so that its place in the file can be told.
type FaultError struct {
	Stage, Fault int
	Err          error
}

func (e *FaultError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FaultError) Unwrap() error { return e.Err }

// powerloss is folded into one timeline per host; partition is what a dark
// switch means for a host that has power.
const (
	powerloss fault.Kind = "powerloss"
	partition fault.Kind = "partition"
)

// builder holds what New needs on the way.
type builder struct {
	*Plan
	exp   *experiments.Experiment
	inv   *inventory.Inventory
	infos map[fault.Kind]fault.Info
	cuts  []*cut
	// hit holds the hosts of each stage's faults.
	hit  []map[string]bool
	used map[fault.InjectionID]int
	errs []error
}

// New folds the experiment and one layout's inventory into a plan. All that is
// wrong is in the error: errors.Is tells inventory.ErrEmpty (a target that picks
// nobody) and ErrRefused from the rest.
func New(exp *experiments.Experiment, inv *inventory.Inventory, layout string, infos map[fault.Kind]fault.Info) (*Plan, error) {
	b := &builder{
		Plan: &Plan{Experiment: exp.Name, Layout: layout, Seed: exp.Seed, Pace: stretches(exp)},
		exp:  exp, inv: inv, infos: infos, used: map[fault.InjectionID]int{},
	}
	b.End = b.Pace[len(b.Pace)-1].End
	for i, s := range exp.Stages {
		b.Stages = append(b.Stages, Stage{Name: s.Stage, At: s.At, Wall: b.WallAt(s.At), Source: s.Source, Note: s.Note})
		b.hit = append(b.hit, map[string]bool{})
		for j, f := range s.Faults {
			before := len(b.errs)
			b.fault(i, s, f)
			for k := before; k < len(b.errs); k++ {
				b.errs[k] = &FaultError{Stage: i, Fault: j, Err: b.errs[k]}
			}
		}
	}
	b.foldPower()
	b.runbook()
	b.loads()
	b.served()
	b.finish()
	b.refuseDark()
	b.refuseConflicts()
	b.refuseLimits()
	b.refuseUnattended()
	return b.result()
}

// result is the plan, or all that is wrong: what makes the files invalid comes
// alone, since what is refused may only follow from it.
func (b *builder) result() (*Plan, error) {
	invalid := slices.DeleteFunc(slices.Clone(b.errs), func(err error) bool { return errors.Is(err, ErrRefused) })
	switch {
	case len(invalid) > 0:
		return nil, errors.Join(invalid...)
	case len(b.errs) > 0:
		return nil, errors.Join(b.errs...)
	}
	return b.Plan, nil
}

func (b *builder) errorf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// fault plans one fault of a stage: a power cut goes to the fold, anything else
// is one injection a host.
func (b *builder) fault(stage int, s experiments.Stage, f experiments.StageFault) {
	kind := fault.Kind(f.Kind)
	info, ok := b.infos[kind]
	if !ok {
		b.errorf("stage %s: no fault is named %q", s.Stage, f.Kind)
		return
	}
	hosts, err := b.inv.Select(f.On, b.exp.Seed)
	if err != nil {
		b.errorf("stage %s, %s: %w", s.Stage, f.Kind, err)
		return
	}
	until := b.until(s, f)
	if until <= s.At {
		b.errorf("stage %s, %s: it begins at %s and ends at %s", s.Stage, f.Kind, s.At, until)
		return
	}
	if kind == powerloss {
		b.cut(stage, s, f, hosts, until)
		return
	}
	for _, h := range hosts {
		params, err := b.params(info, f.Params, h, hosts)
		if err != nil {
			b.errorf("stage %s, %s on %s: %w", s.Stage, f.Kind, h.Name, err)
			return
		}
		b.hit[stage][h.Name] = true
		if params == nil {
			continue
		}
		b.add(Injection{
			Stage: s.Stage, Kind: kind, Host: h.Name, OutOfBand: info.OutOfBand, Params: params,
			From: s.At, Until: until, Require: f.Require, Optional: f.Optional,
		})
	}
}

// until is when a fault ends: as it says, else with the clock.
func (b *builder) until(s experiments.Stage, f experiments.StageFault) experiments.Instant {
	switch {
	case f.Until != nil:
		return *f.Until
	case f.For > 0:
		return b.IncidentAt(b.WallAt(s.At) + time.Duration(f.For))
	}
	return b.last()
}

// add gives an injection its wall times and its id.
func (b *builder) add(i Injection) {
	i.Start, i.End = b.WallAt(i.From), b.WallAt(i.Until)
	i.ID = fault.InjectionID(fmt.Sprintf("%s/%s/%s", i.Stage, i.Kind, i.Host))
	b.used[i.ID]++
	if n := b.used[i.ID]; n > 1 {
		i.ID += fault.InjectionID(fmt.Sprintf("#%d", n))
	}
	b.Injections = append(b.Injections, i)
}

func (b *builder) runbook() {
	for _, s := range b.exp.Runbook {
		named := slices.Contains(s.Layouts, b.Layout)
		if !b.inv.HasStep(s.Step) {
			if named {
				b.errorf("runbook at %s: layout %s has no step %q in its lab file", s.At, b.Layout, s.Step)
			}
			continue
		}
		if len(s.Layouts) == 0 || named {
			b.Runbook = append(b.Runbook, Step{Name: s.Step, At: s.At, Wall: b.WallAt(s.At), Source: s.Source})
		}
	}
}

// served misses a service for each probe: without one, an outage would not be
// seen to have waited for anything. It also misses the sites that a ledger reads.
func (b *builder) served() {
	for _, h := range b.exp.Hypothesis {
		serves := func(s inventory.Service) bool { return slices.Contains(s.Serves, h.Probe) }
		if len(b.inv.Services) > 0 && !slices.ContainsFunc(b.inv.Services, serves) {
			b.errorf("probe %s: no service of %s serves it; add serves: [%s] to those it needs", h.Probe, b.inv.Name, h.Probe)
		}
	}
	for _, l := range b.exp.Ledger {
		for _, site := range slices.Sorted(maps.Keys(l.Read.Sites)) {
			if err := b.inv.CheckSelector(inventory.Selector{Site: inventory.StringList{site}}); err != nil {
				b.errorf("ledger %s, read.sites: %w", l.Name, err)
			}
		}
	}
}

// finish sorts the injections and tells each stage what it does.
func (b *builder) finish() {
	slices.SortStableFunc(b.Injections, func(a, c Injection) int {
		return cmp.Or(cmp.Compare(a.From, c.From), cmp.Compare(a.Host, c.Host), cmp.Compare(a.Kind, c.Kind))
	})
	for i := range b.Stages {
		b.describe(i)
	}
}

// Without is the plan without the injections that out names. What its stages
// were meant to hit stays as it was.
func (p *Plan) Without(out func(Injection) bool) *Plan {
	less := *p
	less.Injections = slices.DeleteFunc(slices.Clone(p.Injections), out)
	return &less
}

// Digest is the SHA-256 of the plan's canonical JSON, in hex: keys sorted, no
// spaces. Two plans with one digest do the same to the same hosts.
func (p *Plan) Digest() string {
	var canonical any
	raw, err := json.Marshal(p)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		err = dec.Decode(&canonical)
	}
	if err == nil {
		raw, err = json.Marshal(canonical)
	}
	if err != nil {
		// Only parameters that are not JSON get here, and New made none.
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
