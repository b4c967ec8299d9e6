package plan

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

const oneCut = `stages: [{stage: cut, at: T+3m, faults: [{powerloss: {}, on: {hosts: p1}}]}]
`

const crowdOf30 = `load:
  - load: users
    http: {post: "http://10.77.1.4:8080/messages", body: "${n}", expect: 201}
    users: 30
    every: 2s
    surges: [{at: T+5m, for: 3s, times: 3, source: New Year}]
    rival: {http: {post: "http://10.77.1.5:8090/messages", expect: 201}, after: 4s, look: 2s}
`

// A plan names its loads and when their surges come; without loads it is what it
// was, digest included.
func TestLoads(t *testing.T) {
	p, err := build(t, oneCut+crowdOf30)
	if err != nil {
		t.Fatal(err)
	}
	want := Surge{At: p.Loads[0].Surges[0].At, Wall: p.WallAt(p.Loads[0].Surges[0].At), For: 3 * time.Second, Times: 3, Extra: 60, Source: "New Year"}
	if got := p.Loads[0].Surges[0]; got != want || got.Wall == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	var out bytes.Buffer
	if err := Render(&out, p); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"load users: 30 people, a request each 2s; to the rival after 4s without service",
		"SURGE users", "3 times as many people, 60 more, for 3s of wall time", "New Year",
	} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("the plan does not say %q:\n%s", text, out.String())
		}
	}
	bare, err := build(t, oneCut)
	if err != nil {
		t.Fatal(err)
	}
	if bare.Digest() == p.Digest() {
		t.Error("a load does not change the digest")
	}
}
