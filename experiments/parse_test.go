package experiments

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testFaults are kinds with parameters of the shapes that plugins derive.
var testFaults = map[string]json.RawMessage{
	"powerloss": json.RawMessage(`{"type":"object","properties":{},"additionalProperties":false}`),
	"cpu": json.RawMessage(`{"type":"object","properties":{"quota":{"type":"string","examples":["20%"]},"cpuset":{"type":"string"},"burn":{"type":"string"}},
		"additionalProperties":false,"oneOf":[{"required":["quota"]},{"required":["cpuset"]},{"required":["burn"]}]}`),
	"partition": json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"#/$defs/Params",
		"$defs":{"Params":{"type":"object","additionalProperties":false,"properties":{
			"to":{"type":"array","items":{"$ref":"#/$defs/Peer"}},
			"direction":{"type":"string","enum":["in","out","both"]}}},
		"Peer":{"type":"object","additionalProperties":false,"required":["cidr"],"properties":{"cidr":{"type":"string"},"port":{"type":"integer","minimum":1}}}}}`),
}

func parseFile(t *testing.T, name string, vars map[string]string) (*Experiment, error) {
	t.Helper()
	src, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(src, name, vars, testFaults)
}

func TestParseGood(t *testing.T) {
	e, err := parseFile(t, "good.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	until := Instant(5141 * time.Minute)
	want := StageFault{Kind: "powerloss", Params: json.RawMessage("{}"), On: Selector{Power: StringList{"ups-a1", "ups-a2"}}, Until: &until}
	if diff := cmp.Diff(want, e.Stages[0].Faults[0]); diff != "" {
		t.Errorf("first fault (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(URLs{"http://10.77.1.4:8080/messages", "http://10.77.2.1:8080/messages"}, e.Hypothesis[0].HTTP.Post); diff != "" {
		t.Errorf("a list inside a text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(URLs{"http://10.77.1.4:8080/messages", "http://10.77.2.1:8080/messages", "http://10.77.3.1:8080/messages"}, e.Ledger[0].HTTP.Post); diff != "" {
		t.Errorf("a list spliced into a list (-want +got):\n%s", diff)
	}
	if e.Ledger[0].HTTP.Body != `{"n": ${n}}` || e.Hypothesis[0].HTTP.Expect != 201 {
		t.Errorf("body %q, expect %d", e.Ledger[0].HTTP.Body, e.Hypothesis[0].HTTP.Expect)
	}
	if e.Hypothesis[0].Timeout != defaultTimeout || e.Ledger[0].Attempts != defaultAttempts {
		t.Error("defaults are not set")
	}
	if diff := cmp.Diff([]string{"as-it-was", "stretched"}, e.LayoutOrder); diff != "" {
		t.Error(diff)
	}
	if got := e.LabVariables()["first_zones"]; got != "ups-a1,ups-a2" {
		t.Errorf("lab variable is %q", got)
	}
}

func TestParseVariables(t *testing.T) {
	e, err := parseFile(t, "good.yaml", map[string]string{"first_zones": "ups-b1", "status": "200", "sync_interval": "2m"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(StringList{"ups-b1"}, e.Stages[0].Faults[0].On.Power); diff != "" {
		t.Error(diff)
	}
	if e.Hypothesis[0].HTTP.Expect != 200 || e.Values["sync_interval"] != "2m" {
		t.Errorf("got %d and %v", e.Hypothesis[0].HTTP.Expect, e.Values["sync_interval"])
	}
	if _, err := parseFile(t, "good.yaml", map[string]string{"frist_zones": "x"}); err == nil {
		t.Error("an unknown --var was accepted")
	}
}

// What is decoded can be written and read back.
func TestRoundTrip(t *testing.T) {
	e, err := parseFile(t, "good.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(b, "again.json", nil, testFaults)
	if err != nil {
		t.Fatal(err)
	}
	again.Values, again.LayoutOrder = e.Values, e.LayoutOrder
	if diff := cmp.Diff(e, again); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}
