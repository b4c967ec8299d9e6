package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Subject is the plugin under test.
type Subject struct {
	Info fault.Info
	Path string // executable, absolute, as the place of the agent sees it
	Args []string
	// Confined starts it with the capabilities that it says it needs, and no others.
	Confined bool
	// Carry has the executable copied into the host: it lies where the host has
	// a folder of its own.
	Carry bool
}

// Suite is one case of a plugin on its way through the histories.
type Suite struct {
	subject Subject
	c       Case
	params  json.RawMessage
	place   *place // nil: raise one
}

// New returns a suite; it raises nothing yet. The caller must Close it.
func New(s Subject, c Case) (*Suite, error) {
	params, err := json.Marshal(c.Params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	if c.Params == nil {
		params = []byte("{}")
	}
	s.Info = s.Info.In(params)
	return &Suite{subject: s, c: c, params: params}, nil
}

// Close takes the lab down.
func (s *Suite) Close() error {
	if s.place == nil {
		return nil
	}
	err := s.place.close()
	s.place = nil
	return err
}

// Ready raises the lab, unless one is there that nobody has spoilt. Try calls it.
func (s *Suite) Ready(ctx context.Context) error {
	if s.place != nil {
		return nil
	}
	p, err := raise(ctx, s.subject, s.c.OnMachine)
	if err != nil {
		return fmt.Errorf("raise lab: %w", err)
	}
	s.place = p
	if s.c.Setup != nil {
		if err := s.c.Setup(p.host); err != nil {
			return errors.Join(fmt.Errorf("set up host: %w", err), s.Close())
		}
	}
	return nil
}

// Try puts the plugin through h and returns what was wrong. A history that went
// wrong may have spoilt the host: the next one gets another.
func (s *Suite) Try(ctx context.Context, h History) (wrong []string) {
	if err := s.Ready(ctx); err != nil {
		return []string{err.Error()}
	}
	tr := &trial{place: s.place, c: s.c, info: s.subject.Info, params: s.params}
	wrong = tr.run(h)
	if len(wrong) > 0 {
		if err := s.Close(); err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	return wrong
}

// Refused checks that Prepare refuses params (nil: the case's) by the parameter at
// field, "target" for the target, and touches nothing.
func (s *Suite) Refused(ctx context.Context, field string, params json.RawMessage) []string {
	if params == nil {
		params = s.params
	}
	return s.Try(ctx, History{"refused", func(tr *trial) {
		ctx, cancel := bounded()
		defer cancel()
		_, err := tr.agent.Prepare(ctx, tr.target(), params)
		var r *fault.RefusedError
		if !errors.As(err, &r) || r.Field != strings.TrimPrefix(field, "target") {
			tr.failf("prepare: error %v, want a refusal of %s", err, field)
		}
		tr.unchanged()
	}})
}

// Prepares asks the plugin to prepare, and returns its error.
func (s *Suite) Prepares(ctx context.Context) (refusal error) {
	_ = s.Try(ctx, History{"prepares", func(tr *trial) {
		ctx, cancel := bounded()
		defer cancel()
		_, refusal = tr.agent.Prepare(ctx, tr.target(), tr.params)
	}})
	return refusal
}
