// Package mock is a harmless fault for the tests of agent and guardian: it
// replaces the text of one file. Only the test build (tag failpoint) knows it.
package mock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Kind is the name of this fault.
const Kind fault.Kind = "mock"

// Params is what a test may ask for.
type Params struct {
	File  string `json:"file"`            // the knob; it must exist
	Value string `json:"value"`           // its new text
	Delay int    `json:"delay,omitempty"` // milliseconds that Apply takes before the change
	Hang  bool   `json:"hang,omitempty"`  // Revert in the plugin process does not return
}

// Change is the change record.
type Change struct {
	Params
	Before string `json:"before"`
	Agent  int    `json:"agent"` // parent of the process that prepared: Hang counts for its children only
}

// Plugin is the fault.
type Plugin struct{}

var _ fault.Plugin[Params, Change] = Plugin{}

// Describe implements fault.Plugin.
func (Plugin) Describe() fault.Info {
	return fault.Info{
		Kind: Kind, Summary: "Replaces the text of a file.", PluginVersion: "1.0.0",
		Touches: []string{"a file"}, ConflictKeys: []string{"mock"}, Destroys: fault.DestroysNothing,
		Protection: []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
	}
}

// Prepare implements fault.Plugin.
func (Plugin) Prepare(_ context.Context, _ fault.Target, p Params) (Change, error) {
	b, err := os.ReadFile(p.File)
	if err != nil {
		return Change{}, fault.Refuse("file", "%v", err)
	}
	return Change{Params: p, Before: string(b), Agent: os.Getppid()}, nil
}

// Apply implements fault.Plugin.
func (Plugin) Apply(ctx context.Context, _ fault.Target, c Change, _, _ fault.BootTime) error {
	now, err := read(c)
	if err != nil || now == c.Value {
		return err
	}
	if now != c.Before {
		return fmt.Errorf("%w: %s holds %q", fault.ErrChanged, c.File, now)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(c.Delay) * time.Millisecond):
	}
	return write(c, c.Value)
}

// Observe implements fault.Plugin.
func (Plugin) Observe(_ context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	now, err := read(c)
	switch {
	case err != nil:
		return fault.Observation{}, err
	case now == c.Value:
		return fault.Observation{State: fault.Present, Dose: fault.Exercised, Detail: now}, nil
	}
	return fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Detail: now}, nil
}

// Revert implements fault.Plugin.
func (Plugin) Revert(ctx context.Context, _ fault.Target, c Change) error {
	if c.Hang && os.Getppid() == c.Agent {
		select {} // like a plugin with a deadlock: not even the end of its context helps
	}
	now, err := read(c)
	switch {
	case err != nil || now == c.Before:
		return err
	case now != c.Value:
		return fmt.Errorf("%w: %s holds %q", fault.ErrStuck, c.File, now)
	}
	return write(c, c.Before)
}

func read(c Change) (string, error) {
	b, err := os.ReadFile(c.File)
	if errors.Is(err, os.ErrNotExist) {
		return "", fault.ErrGone
	}
	return string(b), err
}

// write writes in place: whoever reads meanwhile sees the old or the new text,
// as all texts of a test have one length.
func write(c Change, text string) error {
	f, err := os.OpenFile(c.File, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Close())
}
