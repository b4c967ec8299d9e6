package faulttest

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Must ends the test if a step failed that the test is not about.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Prepare is the fault's own Prepare, in the process of the test, and must succeed.
func Prepare[P, C any](t testing.TB, f fault.Plugin[P, C], target fault.Target, p P) C {
	t.Helper()
	c, err := f.Prepare(t.Context(), target, p)
	Must(t, err)
	return c
}

// Observe is what the fault observes in the process of the test, with the record as
// the journal would give it back. It must succeed.
func Observe[P, C any](t testing.TB, f fault.Plugin[P, C], target fault.Target, c C) fault.Observation {
	t.Helper()
	change, err := json.Marshal(c)
	Must(t, err)
	o, err := fault.NewDriver(f).Observe(t.Context(), target, change)
	Must(t, err)
	return o
}

// Refused checks that err refuses the parameter field and says all of words.
func Refused(t testing.TB, err error, field string, words ...string) {
	t.Helper()
	var refused *fault.RefusedError
	if !errors.As(err, &refused) || refused.Field != field {
		t.Errorf("error %v, want a refusal of %q", err, field)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %v does not say %q", err, word)
		}
	}
}

// PrepareRefused checks that the fault's own Prepare refuses a parameter, as Refused
// does.
func PrepareRefused[P, C any](t testing.TB, f fault.Plugin[P, C], target fault.Target, p P, field string, words ...string) {
	t.Helper()
	if _, err := f.Prepare(t.Context(), target, p); err == nil {
		t.Errorf("%+v is not refused", p)
	} else {
		Refused(t, err, field, words...)
	}
}
