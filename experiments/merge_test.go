package experiments

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// Parameters of a fault are checked where they stand, also behind references
// of the fault's own schema.
func TestFaultParametersAreChecked(t *testing.T) {
	for params, says := range map[string]string{
		"{to: [{cidr: 10.0.0.0/8, port: 0}]}":  "minimum",
		"{to: [{prt: 3, cidr: 10.0.0.0/8}]}":   "did you mean port?",
		"{to: [{port: 3}]}":                    `missing key "cidr"`,
		"{direction: sideways}":                "allowed: both, in, out",
		"{to: [{cidr: 10.0.0.0/8, port: 80}]}": "",
	} {
		src := `experiment: x
clock: {pace: [{to: T+1m, takes: 1s}]}
seed: 1
hypothesis: [{probe: p, tcp: {connect: "10.77.1.1:80"}, every: 1s, tolerance: {availability: 99%, over: 5s}}]
stages: [{stage: cut, at: T+10s, faults: [{partition: ` + params + `, on: {hosts: n1}}]}]
`
		_, err := Parse([]byte(src), "x.yaml", nil, testFaults)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: got %v; want %q", params, err, says)
		}
		for _, p := range strict.Problems(err) {
			if p.Line != 5 {
				t.Errorf("%s: the problem is told in line %d", params, p.Line)
			}
		}
	}
}

// Merging leaves the schemas that it was given alone, and an editor finds every
// reference.
func TestSchemaReferencesResolve(t *testing.T) {
	before := string(testFaults["partition"])
	raw, err := Schema(testFaults)
	if err != nil {
		t.Fatal(err)
	}
	if string(testFaults["partition"]) != before {
		t.Error("the given schema was changed")
	}
	var root map[string]any
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	defs := root["$defs"].(map[string]any)
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok && defs[strings.TrimPrefix(ref, "#/$defs/")] == nil {
				t.Errorf("%s leads nowhere", ref)
			}
			for _, sub := range v {
				walk(sub)
			}
		case []any:
			for _, sub := range v {
				walk(sub)
			}
		}
	}
	walk(root)
}
