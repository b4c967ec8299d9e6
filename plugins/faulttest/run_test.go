package faulttest

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestStaleDescriptionIsFound(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := current(wellBehaved); err == nil || !strings.Contains(err.Error(), "make generate") {
		t.Errorf("without a description: %v", err)
	}
	var b bytes.Buffer
	if err := fault.WriteDescription(&b, wellBehaved); err != nil {
		t.Fatal(err)
	}
	for text, stale := range map[string]bool{b.String(): false, strings.Replace(b.String(), "255", "256", 1): true} {
		if err := os.WriteFile(Description, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := current(wellBehaved); (err != nil) != stale {
			t.Errorf("stale is %v: %v", stale, err)
		}
	}
}

func TestMeasuresAreCompared(t *testing.T) {
	m := fault.Measure{Name: "rate", Value: 100, Unit: "1/s"}
	for _, c := range []struct {
		name      string
		achieved  []fault.Measure
		tolerance float64
		ok        bool
	}{
		{"equal", []fault.Measure{{Name: "x"}, m}, 0, true},
		{"near", []fault.Measure{{Name: "rate", Value: 104, Unit: "1/s"}}, 0.05, true},
		{"far", []fault.Measure{{Name: "rate", Value: 106, Unit: "1/s"}}, 0.05, false},
		{"other unit", []fault.Measure{{Name: "rate", Value: 100, Unit: "1/min"}}, 0.05, false},
		{"not said", nil, 1, false},
	} {
		if problem := compareMeasure(c.achieved, m, c.tolerance); (problem == "") != c.ok {
			t.Errorf("%s: %q", c.name, problem)
		}
	}
}
