package faulttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Description is the file in a plugin's folder that holds its whole Info.
const Description = "describe.json"

// Run puts plugin through all histories with c, and fails t for each that went
// wrong. The plugin must have been given to Main. The test's folder must hold
// the plugin's description, and hold it current.
func Run(t *testing.T, plugin fault.Driver, c Case) {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	if err := current(plugin); err != nil {
		t.Error(err)
	}
	s, err := newSuite(t, plugin, c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Refused != "" {
		for _, w := range s.refused() {
			t.Error(w)
		}
		return
	}
	for _, h := range histories {
		t.Run(h.name, func(t *testing.T) {
			for _, w := range s.try(h) {
				t.Error(w)
			}
		})
	}
}

// current compares the description on disk with what the plugin says.
func current(plugin fault.Driver) error {
	var want bytes.Buffer
	if err := fault.WriteDescription(&want, plugin); err != nil {
		return err
	}
	got, err := os.ReadFile(Description)
	if err != nil {
		return fmt.Errorf("read description: %w; run make generate", err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		return fmt.Errorf("%s is stale; run make generate, which writes:\n%s", Description, want.String())
	}
	return nil
}

// suite is one case on its way through the histories.
type suite struct {
	t      *testing.T // of all histories: its end ends the lab
	c      Case
	info   fault.Info
	params json.RawMessage
	place  *place // nil: raise one
}

func newSuite(t *testing.T, plugin fault.Driver, c Case) (*suite, error) {
	info, err := plugin.Describe(t.Context())
	if err != nil {
		return nil, err
	}
	params, err := json.Marshal(c.Params)
	if err != nil {
		return nil, fmt.Errorf("encode parameters: %w", err)
	}
	if c.Params == nil {
		params = []byte("{}")
	}
	return &suite{t: t, c: c, info: info, params: params}, nil
}

// ready raises the lab, unless one is there that nobody has spoilt.
func (s *suite) ready() error {
	if s.place != nil {
		return nil
	}
	p, err := raise(s.t, s.info.OutOfBand)
	if err != nil {
		return fmt.Errorf("raise lab: %w", err)
	}
	if s.c.Setup != nil {
		if err := s.c.Setup(p.host); err != nil {
			return fmt.Errorf("set up host: %w", err)
		}
	}
	s.place = p
	return nil
}

// try puts the plugin through h. A history that went wrong may have spoilt the
// host: the next one gets another.
func (s *suite) try(h history) (wrong []string) {
	if err := s.ready(); err != nil {
		return []string{err.Error()}
	}
	tr := &trial{place: s.place, c: s.c, kind: s.info.Kind, params: s.params}
	wrong = tr.run(h)
	if len(wrong) > 0 {
		s.place = nil
	}
	return wrong
}

// refused checks that Prepare refuses, names the parameter and touches nothing.
func (s *suite) refused() []string {
	return s.try(history{"refused", func(tr *trial) {
		ctx, cancel := bounded()
		defer cancel()
		_, err := tr.agent.Prepare(ctx, tr.target(), tr.params)
		var r *fault.RefusedError
		field := strings.TrimPrefix(s.c.Refused, "target")
		if !errors.As(err, &r) || r.Field != field {
			tr.failf("prepare: error %v, want a refusal of %s", err, s.c.Refused)
		}
		tr.unchanged()
	}})
}
