package faulttest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/dose"
	"github.com/firedrill-io/firedrill/internal/need"
)

// recorder is a test that notes how it failed and with which attributes.
type recorder struct {
	testing.TB
	wrong, attributes []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}
func (r *recorder) Attr(key, value string) { r.attributes = append(r.attributes, key, value) }

// A dose that is too far off fails the test, and so does a host that was not left
// as found; both are written down all the same.
func TestMeasured(t *testing.T) {
	was := []string{"a", "b"}
	for name, c := range map[string]struct {
		m     Measurement
		wrong string
	}{
		"as asked":     {Measurement{Asked: 20, Achieved: 20.9, Within: 1, Found: was, Left: []string{"a", "b"}}, ""},
		"exactly":      {Measurement{Asked: 3, Achieved: 3, Found: was, Left: was}, ""},
		"too much":     {Measurement{Asked: 20, Achieved: 21.1, Within: 1, Found: was, Left: was}, "asked was 20"},
		"not reverted": {Measurement{Asked: 20, Achieved: 20, Found: was, Left: []string{"a"}}, "not left as found"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorder{TB: t}
			Measured(r, c.m)
			if got := strings.Join(r.wrong, "\n"); (got == "") != (c.wrong == "") || !strings.Contains(got, c.wrong) {
				t.Errorf("failed with %q, want %q", got, c.wrong)
			}
			if len(r.attributes) != 2 || r.attributes[0] != dose.Key {
				t.Fatalf("attributes %q", r.attributes)
			}
			var m dose.Measurement
			if err := json.Unmarshal([]byte(r.attributes[1]), &m); err != nil {
				t.Fatal(err)
			}
			if m.Achieved != c.m.Achieved || m.Reverted != (c.wrong != "not left as found") || m.Environment.Kernel == "" || m.Environment.Netem != need.Met(need.Netem) {
				t.Errorf("written down: %+v", m)
			}
		})
	}
}
