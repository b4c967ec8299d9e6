package partition

import (
	"errors"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Each bad parameter is refused with its own path.
func TestParamsAreRefused(t *testing.T) {
	to := []string{"10.0.0.0/8"}
	many := make([]string, MaxPeers+1)
	cases := []struct {
		field  string
		params Params
	}{
		{"to", Params{}},
		{"to", Params{To: many}},
		{"to[1]", Params{To: []string{"10.0.0.1", "example.org"}}},
		{"from[0]", Params{To: to, From: []string{"10.0.0.0/33"}}},
		{"direction", Params{To: to, Direction: "up"}},
		{"protocol", Params{To: to, Protocol: "sctp"}},
		{"ports", Params{To: to, Protocol: "icmp", Ports: []string{"1"}}},
		{"ports", Params{To: to, Ports: []string{"1", "2", "3", "4", "5"}}},
		{"ports[0]", Params{To: to, Ports: []string{"0"}}},
		{"ports[1]", Params{To: to, Ports: []string{"80", "90-80"}}},
		{"ports[0]", Params{To: to, Ports: []string{"65536"}}},
	}
	for _, c := range cases {
		_, err := c.params.parse()
		var refused *fault.RefusedError
		if !errors.As(err, &refused) || refused.Field != c.field {
			t.Errorf("%+v: %v, want a refusal of %s", c.params.Ports, err, c.field)
		}
	}
}

// A host address and a CIDR with host bits set mean the masked prefix.
func TestParamsParse(t *testing.T) {
	r, err := Params{To: []string{"10.1.2.3/8", "fd00::1"}, Ports: []string{"5432", "6000-6010"}}.parse()
	if err != nil {
		t.Fatal(err)
	}
	if r.To[0].String() != "10.0.0.0/8" || r.To[1].String() != "fd00::1/128" || r.Ports[1] != (Range{6000, 6010}) {
		t.Errorf("%+v", r)
	}
}
