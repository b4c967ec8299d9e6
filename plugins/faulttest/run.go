package faulttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Description is the file in a plugin's folder that holds its whole Info.
const Description = "describe.json"

// Run puts plugin through all histories with c, and fails t for each that went
// wrong. The plugin must have been given to Main. The test's folder must hold
// the plugin's description, and hold it current.
func Run(t *testing.T, plugin fault.Driver, c Case) {
	t.Helper()
	needs(t, plugin)
	s := newSuite(t, plugin, c)
	if c.Refused != "" {
		for _, w := range s.Refused(t.Context(), c.Refused, nil) {
			t.Error(w)
		}
		return
	}
	runAll(t, s)
}

// Refuses checks that Prepare refuses each of params, by the name of the parameter
// under which it stands, and touches nothing: they have one host, which setup, if
// there is any, makes ready. All are of one mode.
func Refuses[P any](t *testing.T, plugin fault.Driver, setup func(*Host) error, params map[string]P) {
	t.Helper()
	needs(t, plugin)
	var s *conformance.Suite
	for field, p := range params {
		if s == nil {
			s = newSuite(t, plugin, Case{Params: p, Setup: setup})
		}
		t.Run(field, func(t *testing.T) {
			given, err := json.Marshal(p)
			Must(t, err)
			for _, w := range s.Refused(t.Context(), field, given) {
				t.Error(w)
			}
		})
	}
}

func runAll(t *testing.T, s *conformance.Suite) {
	t.Helper()
	ctx := t.Context() // the lab outlives a history
	for _, h := range conformance.Histories() {
		t.Run(h.Name, func(t *testing.T) {
			for _, w := range s.Try(ctx, h) {
				t.Error(w)
			}
		})
	}
}

// Subject is a plugin that was given to Main, run by the test binary itself.
func Subject(info fault.Info) conformance.Subject {
	return conformance.Subject{Info: info, Path: proc.Self, Args: []string{rolePlugin, string(info.Kind)}}
}

// newSuite makes a suite of the test binary itself; its lab goes with the test.
func newSuite(t *testing.T, plugin fault.Driver, c Case) *conformance.Suite {
	t.Helper()
	info, err := plugin.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := conformance.New(Subject(info), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func needs(t *testing.T, plugin fault.Driver) {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	if err := current(plugin); err != nil {
		t.Error(err)
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
