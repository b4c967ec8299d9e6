package experiments_test

import (
	"encoding/json"
	"fmt"

	"github.com/firedrill-io/firedrill/experiments"
)

// A file that is wrong is told with its place and what would be right.
func ExampleParse() {
	faults := map[string]json.RawMessage{"powerloss": json.RawMessage(`{"type":"object","additionalProperties":false}`)}
	_, err := experiments.Parse([]byte(`experiment: small
clock: {pace: [{to: T+1m, takes: 10s}]}
seed: 1
hypothesis:
  - {probe: web, http: {get: "http://10.77.1.1:8080/", expect: 200}, evry: 1s, tolerance: {availability: 99%, over: 5s}}
stages:
  - {stage: cut, at: T+10s, faults: [{powerloss: {}, on: {hosts: n1}, until: T+90m}]}
`), "small.yaml", nil, faults)
	fmt.Println(err)
	// Output:
	// small.yaml:5:5: missing key "every"
	//     5 |   - {probe: web, http: {get: "http://10.77.1.1:8080/", expect: 200}, evry: 1s, tolerance: …
	//       |     ^
	//         add every: 250ms or 5s
	// small.yaml:5:70: unknown key "evry"
	//     5 | …get: "http://10.77.1.1:8080/", expect: 200}, evry: 1s, tolerance: {availability: 99%, over…
	//       |                                               ^
	//         did you mean every? known keys: every, http, probe, tcp, timeout, tolerance
	// small.yaml:7:78: T+90m is after the clock's end at T+1m
	//     7 |   - {stage: cut, at: T+10s, faults: [{powerloss: {}, on: {hosts: n1}, until: T+90m}]}
	//       |                                                                              ^
	//         lengthen clock.pace or choose an earlier instant
	// 3 problems
}
