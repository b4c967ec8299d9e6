package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Overlap is a lab host with several injections at a time, each by a plugin
// process of its own, as an agent would have them.
type Overlap struct {
	place *place
	found digest.Digest
}

// RaiseOverlap raises a lab and makes the host under test ready; what setup does
// counts as found. The caller must Close it.
func RaiseOverlap(ctx context.Context, setup func(*Host) error) (*Overlap, error) {
	p, err := raise(ctx, Subject{}, false)
	if err != nil {
		return nil, fmt.Errorf("raise lab: %w", err)
	}
	o := &Overlap{place: p}
	if err := setup(p.host); err != nil {
		return nil, errors.Join(fmt.Errorf("set up host: %w", err), o.Close())
	}
	if o.found, err = p.digest(); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// Close takes the lab down.
func (o *Overlap) Close() error { return o.place.close() }

// Host is the host under test.
func (o *Overlap) Host() *Host { return o.place.host }

// Changed says how the host differs from what was found, once it has had the time
// to be the same.
func (o *Overlap) Changed() ([]string, error) {
	return o.place.changed(o.found, o.place.settles(Case{}))
}

// Injection is one injection of an Overlap. Its steps may come in any order that
// the contract allows.
type Injection struct {
	overlap *Overlap
	agent   *agent
	start   launchRequest
	params  json.RawMessage
	change  json.RawMessage
}

// Injection starts the plugin of s for an injection with params; name is its own.
// It ends with its host.
func (o *Overlap) Injection(name string, s Subject, params any) (*Injection, error) {
	text, err := json.Marshal(params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters of %s: %w", name, err)
	}
	a, err := o.place.standInAt(filepath.Join(hostFolder, name))
	if err != nil {
		return nil, err
	}
	i := &Injection{
		overlap: o, agent: a, params: text,
		start: launchRequest{Kind: s.Info.Kind, Path: s.Path, Args: s.Args, Confined: s.Confined, Capabilities: s.Info.Needs.Capabilities},
	}
	return i, i.Restart()
}

// Restart kills the plugin, if one runs, without a word of warning, and starts
// it anew: what follows is done by a process that knows nothing but the record.
func (i *Injection) Restart() error {
	ctx, cancel := bounded()
	defer cancel()
	_, err := i.agent.launch(ctx, i.start)
	return err
}

// Prepare prepares the injection.
func (i *Injection) Prepare() (err error) {
	ctx, cancel := bounded()
	defer cancel()
	i.change, err = i.agent.Prepare(ctx, i.target(), i.params)
	return err
}

// Apply applies the injection at once, or renews it, for so long.
func (i *Injection) Apply(span time.Duration) error {
	ctx, cancel := bounded()
	defer cancel()
	at := fault.Now()
	applied, err := i.agent.Apply(ctx, []fault.RawItem{{ID: "overlap", Target: i.target(), Change: i.change}}, at, at.Add(span))
	if err != nil {
		return err
	}
	return applied[0].Err.Err()
}

// Observe says what the plugin sees of the injection.
func (i *Injection) Observe() (fault.Observation, error) {
	ctx, cancel := bounded()
	defer cancel()
	return i.agent.Observe(ctx, i.target(), i.change)
}

// Revert reverts the injection.
func (i *Injection) Revert() error {
	ctx, cancel := bounded()
	defer cancel()
	return i.agent.Revert(ctx, i.target(), i.change)
}

func (i *Injection) target() fault.Target { return i.overlap.place.target(Case{}) }
