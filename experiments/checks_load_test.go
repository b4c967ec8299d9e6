package experiments

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const goodLoad = `load:
  - load: users
    http: {post: "http://${gateways}/messages", body: '{"n": ${n}}', expect: 201}
    users: 30
    every: 2s
    retry: {first: 1s, jitter: 0%}
    surges:
      - {at: T+700m, for: 3s, times: 3, source: a bell}
      - {at: T+2400m, for: 3s, times: 1.5}
    rival:
      http: {post: "http://10.77.3.9:8090/messages", expect: 201}
      after: 4s
      look: 2s
stages:
`

func withLoad(t *testing.T, load string) string {
	t.Helper()
	src, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Replace(string(src), "stages:\n", load, 1)
}

func TestParseLoad(t *testing.T) {
	e, err := Parse([]byte(withLoad(t, goodLoad)), "load.yaml", nil, testFaults)
	if err != nil {
		t.Fatal(err)
	}
	none := Ratio(0)
	want := Retry{First: Duration(time.Second), Factor: defaultRetryFactor, Max: defaultRetryMax, Jitter: &none}
	if diff := cmp.Diff(want, e.Load[0].Retry); diff != "" {
		t.Errorf("retry (-want +got):\n%s", diff)
	}
	if l := e.Load[0]; len(l.HTTP.Post) != 2 || l.HTTP.Body != `{"n": ${n}}` || l.Timeout != defaultTimeout || l.Surges[1].Times != 1.5 || l.Rival.Look != Duration(2*time.Second) {
		t.Errorf("got %+v", l)
	}
}

func TestLoadErrors(t *testing.T) {
	for _, c := range []struct{ old, new, says string }{
		{"load: users", "load: talk", `name "talk" is used twice`},
		{"T+700m", "T+9000m", "after the clock's end at T+7700m"},
		{"T+700m", "T+2500m", "before the surge above it at T+2500m"},
		{"T+700m", "T+2300m", "comes 2.894s of wall time before the surge above it is over"},
		{"times: 3", "times: 1000", "1000 times 30 users are more than 10000 people"},
		{"times: 1.5", "times: 1", "times"},
		{"users: 30", "users: 0", "users"},
		{"first: 1s", "first: 1m, max: 2s", "2s is shorter than the first wait of 1m0s"},
		{"jitter: 0%", "factor: 0.5", "factor"},
		{"after: 4s", "after: T+4m", "is not a duration of wall time"},
		{"{post: \"http://10.77.3.9:8090/messages\", expect", "{expect", "one of get and post is missing"},
		{"look: 2s", "looks: 2s", `unknown key "looks"`},
	} {
		src := strings.Replace(withLoad(t, goodLoad), c.old, c.new, 1)
		_, err := Parse([]byte(src), "load.yaml", nil, testFaults)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", c.new, err, c.says)
		}
	}
}
