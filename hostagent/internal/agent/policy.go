package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Policy is the host's own word on what may be done to it, policy.yaml in the
// agent's root folder. It is read anew for each command, so that it can be
// changed at any time; reverting and halting never ask it.
type Policy struct {
	Kinds         []fault.Kind `yaml:"kinds"`          // allowed; absent: all that this agent has
	MaxHardEnd    Span         `yaml:"max_hard_end"`   // longest injection
	MaxUnattended Span         `yaml:"max_unattended"` // longest time without a renewal
	Protected     []string     `yaml:"protected"`      // hosts that are never touched
	Frozen        bool         `yaml:"frozen"`         // nothing may be injected
	Freeze        []Window     `yaml:"freeze"`         // nothing may be injected then
	// MachinePower lets faults switch whole machines off; absent: none may.
	MachinePower bool `yaml:"allow_machine_power"`
}

// Window is a span of wall time.
type Window struct {
	From time.Time `yaml:"from"`
	To   time.Time `yaml:"to"`
}

// Span is a duration as 90s, 15m or 4h.
type Span time.Duration

// UnmarshalText parses a duration.
func (s *Span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d <= 0 {
		return fmt.Errorf("bad duration %q; write it like 90s, 15m or 4h", b)
	}
	*s = Span(d)
	return nil
}

// The bounds of a host without a policy file.
const (
	defaultMaxHardEnd    = Span(4 * time.Hour)
	defaultMaxUnattended = Span(15 * time.Minute)
)

// ReadPolicy reads the policy in root. A host without one has the default bounds.
func ReadPolicy(root string) (Policy, error) {
	p := Policy{MaxHardEnd: defaultMaxHardEnd, MaxUnattended: defaultMaxUnattended}
	path := filepath.Join(root, "policy.yaml")
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err == nil && len(b) > 0 {
		err = yaml.UnmarshalWithOptions(b, &p, yaml.Strict())
	}
	if err != nil {
		return p, fmt.Errorf("read policy %s: %w", path, err)
	}
	return p, nil
}

func (p Policy) frozen(now time.Time) error {
	if p.Frozen {
		return refusal("the host's policy is frozen")
	}
	for _, w := range p.Freeze {
		if now.After(w.From) && now.Before(w.To) {
			return refusal("the host's policy is frozen until %s", w.To.Format(time.RFC3339))
		}
	}
	return nil
}

// allows says why the injection may not be prepared; nil if it may.
func (p Policy) allows(i control.Injection, info fault.Info, now time.Time) error {
	if p.Kinds != nil && !slices.Contains(p.Kinds, i.Kind) {
		return refusal("the host's policy does not allow %s; it allows %v", i.Kind, p.Kinds)
	}
	if info.Machine && !p.MachinePower {
		return refusal("%s would switch a machine off, which the host's policy does not allow; say allow_machine_power: true in its policy.yaml", i.Kind)
	}
	if slices.Contains(p.Protected, i.Host) {
		return refusal("the host's policy protects %s", i.Host)
	}
	return p.frozen(now)
}

// lease shortens a lease to the longest time that the host allows without a renewal.
func (p Policy) lease(asked time.Duration) time.Duration {
	return min(asked, time.Duration(p.MaxUnattended))
}

// bounds says why an injection may not be armed as r asks; nil if it may.
func (p Policy) bounds(r control.ArmRequest, now time.Time) error {
	if length := r.End.Sub(r.At); length > time.Duration(p.MaxHardEnd) {
		return refusal("hard end after %s: the host's policy allows %s", length, time.Duration(p.MaxHardEnd))
	}
	if r.Unattended > time.Duration(p.MaxUnattended) {
		return refusal("unattended for %s: the host's policy allows %s", r.Unattended, time.Duration(p.MaxUnattended))
	}
	return p.frozen(now)
}

func refusal(format string, args ...any) error { return fault.Refuse("", format, args...) }
