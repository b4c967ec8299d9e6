package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Every parameter is tried with values of another type, which must be refused,
// and with values that look like something else.
func TestHostileParametersAreDerived(t *testing.T) {
	list, err := hostileTo([]byte(`{"quota":"20%"}`), []byte(`{"properties":{"quota":{"type":"string"},"peers":{"type":"array"},"n":{"type":"integer"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	wrong, kept := map[string]bool{}, 0
	for _, h := range list {
		name, _, _ := strings.Cut(h.what, " as ")
		wrong[name] = wrong[name] || h.wrong
		var params map[string]any
		if json.Unmarshal(h.params, &params) == nil && name != "quota" && params["quota"] == "20%" {
			kept++
		}
	}
	for _, name := range []string{"no JSON", "an unknown parameter", "quota", "peers", "n"} {
		if !wrong[name] {
			t.Errorf("%s: nothing that must be refused", name)
		}
	}
	if kept < 10 {
		t.Errorf("only %d keep the other parameters as they are right", kept)
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
