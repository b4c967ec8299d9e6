package experiments

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/experiments/strict"
	"github.com/google/go-cmp/cmp"
)

// A file with many errors shows them all in one pass, each with its place in
// the file and what would be right.
func TestAllErrorsAtOnce(t *testing.T) {
	_, err := parseFile(t, "ten-errors.yaml", nil)
	if err == nil {
		t.Fatal("accepted")
	}
	golden(t, "ten-errors.golden", err.Error()+"\n")
	if n := len(strict.Problems(err)); n < 10 {
		t.Errorf("%d problems, want at least ten", n)
	}
	for _, p := range strict.Problems(err) {
		if p.Line < 1 || p.Column < 1 || p.Source == "" || p.Remedy == "" {
			t.Errorf("no place or no remedy: %+v", p)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// Each change makes one more problem of the good file, and this one.
func TestOneErrorEach(t *testing.T) {
	src, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, says string }{
		{"probe: port", "probe: text", `name "text" is used twice`},
		{"name: talk", "name: text", `name "text" is used twice`},
		{"tcp: {connect: \"10.77.1.4:8080\"}", "tcp: {connect: \"10.77.1.4:8080\"}\n    http: {get: \"http://x\", expect: 200}", "http and tcp exclude each other"},
		{"    tcp: {connect: \"10.77.1.4:8080\"}\n", "", "one of http and tcp is missing"},
		{`{connect: "10.77.1.4:8080"}`, "{connect: p4}", "is not an address with a port"},
		{"until: T+5141m", "until: T+5141m, for: 5s", "until and for exclude each other"},
		{"until: T+5141m", "until: T+2m", "T+2m is not after the stage's start at T+3m"},
		{"until: T+5141m", "until: T+9999m", "after the clock's end at T+7700m"},
		{"at: T+93m\n", "at: T+1m\n", "T+1m is before the stage above it"},
		{"at: T+611m", "at: T+90m", "T+90m is not after T+93m"},
		{"share: 37.5%", "share: 37.5", `37.5 is not a percentage`},
		{"share: 100%", "share: 20%", "20% is less than the 37.5% before it"},
		{"hosts: [tools], source: K4", "source: K4", "gives power to nobody"},
		{"at: T+612m", "at: T+8000m", "after the clock's end"},
		{"layouts: [as-it-was]", "layouts: [as-it-is]", `no layout is named "as-it-is"`},
		{"own: {max: 20s}", "own: {max: T+20m}", "is not a duration of wall time"},
		{"max_incident: 20m", "max: 20m", `unknown key "max"`},
		{"{probe: text, own: {max: 20s}}", "{probe: text, lost: {max: 0}}", "lost is not a figure of a probe"},
		{"{probe: text, own: {max: 20s}}", "{probe: text, ledger: talk, own: {max: 20s}}", "probe and ledger exclude each other"},
		{"{probe: text, own: {max: 20s}}", "{probe: text}", `nothing is expected of "text"`},
		{"fails: [text.gated]", "fails: [talk.gated]", `no line of a verdict is named "talk.gated"`},
		{"{verdict: held}", "{verdict: held, fails: [text.own]}", "a layout that holds has no failed lines"},
		{", fails: [text.gated]", "", "a layout that deviates has failed lines"},
		{"{probe: text, happened", "{probe: texts, happened", `no probe is named "texts"`},
		{"happened_incident: 604m", "happened_incident: ten hours", "is not a length of incident time"},
		{"powerloss: {}\n", "powerloss: {}\n        partition: {}\n", "one fault has two kinds, powerloss and partition"},
		{"powerloss: {}\n        on", "on", "the fault has no kind"},
		{"powerloss: {}\n", "powerloss: {depth: 1}\n", `unknown key "depth"`},
		{"powerloss: {}\n", "cpu: {}\n", "one of quota, cpuset and burn is missing"},
		{"powerloss: {}\n", "cpu: {}\n", "add quota: 20% or cpuset: … or burn: …"},
		{"powerloss: {}\n", "cpu: {quota: 20%, burn: 80%}\n", "quota and burn exclude each other"},
		{"powerloss: {}\n", "partition: {}\n", "restore under partition"},
		{"on: {site: pangyo}", "on: {}", `"on" says nothing`},
		{"on: {site: pangyo}", "on:", `"on" is empty`},
		{"on: {site: pangyo}", "on: {site: 7}", "7 is a number"},
		{"{default: always}", "{default: {a: 1}}", "is a mapping"},
		{"first_zones:", "first zones:", "\"first zones\" cannot be used as ${name}"},
		{"as-it-was: {lab", "As it was: {lab", "\"As it was\" is not allowed as a name"},
		{"first_zones:", "n:", "is the number of a ledger's write"},
		{`body: '{"n": ${n}}', expect: 201}`, `body: '{"n": 1}', expect: 201}`, "the ledger's writes carry no number"},
		{"seed: 20221015", "seed: 20221015\nseed: 1", `key "seed" stands already in line 6`},
		{"seed: 20221015", "seed: &a 1", "anchors, aliases, tags and merge keys"},
		{"{to: T+93m, takes: 28s}", "{to: T+93m, takes: 0s}", "0s\" is not a duration of wall time longer than zero"},
		{"{to: T+93m, takes: 28s}", "{to: T+3m, takes: 1s}", "T+3m is not after T+3m"},
		{"T+93m, takes: 28s", "T+99999999h, takes: 28s", "is not an instant of the incident"},
		{"T+1310m", "T + 1310m", "is not an instant of the incident"},
		{"expect: \"${status}\"", "expect: \"x${status}\"", `"x201" is a text`},
		{"${first_zones}", "${first_zones", "${ is not closed"},
		{"seed: 20221015", "seed: many", `"many" is a text`},
		{"hosts: 4,", "hosts: 0,", "minimum"},
		{"hosts: 4,", "missing: -1,", "minimum"},
		{"hosts: 4,", "missing: many,", `"many" is a text`},
		{"powerloss: {}\n", "powerloss: {}\n        optional: true\n", "powerloss cannot be optional"},
		{`availability("port") < 0.5`, `availability("ports") < 0.5`, `x.yaml:48:26: no probe is named "ports"`},
		{`availability("port") < 0.5`, `availability("ports") < 0.5`, `port`},
		{`availability("port") < 0.5`, `availability("port")`, "a condition is true or false"},
		{`availability("port") < 0.5`, `availabilty("port") < 0.5`, "undeclared reference to 'availabilty'"},
		{`availability("port") < 0.5`, `outage("talk") > 1`, `no probe is named "talk"`},
		{`availability("port") < 0.5`, `unacknowledged("talk") >`, "Syntax error"},
		{"for: 30s", "for: T+30s", "is not a duration of wall time"},
	} {
		if !strings.Contains(string(src), c.old) {
			t.Errorf("good.yaml has no %q", c.old)
			continue
		}
		_, err := Parse([]byte(strings.Replace(string(src), c.old, c.new, 1)), "x.yaml", nil, testFaults)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q for %q: got %v; want %q", c.new, c.old, err, c.says)
		}
	}
}
