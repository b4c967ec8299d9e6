package traffic

import (
	"errors"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/peers"
)

// Each bad parameter is refused with its own path.
func TestSelectionIsRefused(t *testing.T) {
	to := []string{"10.0.0.0/8"}
	many := make([]string, MaxPeers+1)
	cases := []struct {
		field  string
		params Selection
	}{
		{"to", Selection{}},
		{"to", Selection{To: many}},
		{"to[1]", Selection{To: []string{"10.0.0.1", "example.org"}}},
		{"from[0]", Selection{To: to, From: []string{"10.0.0.0/33"}}},
		{"direction", Selection{To: to, Direction: "up"}},
		{"protocol", Selection{To: to, Protocol: "sctp"}},
		{"ports", Selection{To: to, Protocol: "icmp", Ports: []string{"1"}}},
		{"ports", Selection{To: to, Ports: []string{"1", "2", "3", "4", "5"}}},
		{"ports[0]", Selection{To: to, Ports: []string{"0"}}},
		{"ports[1]", Selection{To: to, Ports: []string{"80", "90-80"}}},
		{"ports[0]", Selection{To: to, Ports: []string{"65536"}}},
	}
	for _, c := range cases {
		_, err := c.params.Rule()
		var refused *fault.RefusedError
		if !errors.As(err, &refused) || refused.Field != c.field {
			t.Errorf("%+v: %v, want a refusal of %s", c.params.Ports, err, c.field)
		}
	}
}

// A host address and a CIDR with host bits set mean the masked prefix.
func TestSelectionMeans(t *testing.T) {
	r, err := Selection{To: []string{"10.1.2.3/8", "fd00::1"}, Ports: []string{"5432", "6000-6010"}}.Rule()
	if err != nil {
		t.Fatal(err)
	}
	if r.To[0].String() != "10.0.0.0/8" || r.To[1].String() != "fd00::1/128" || r.Ports[1] != (peers.Range{Lo: 6000, Hi: 6010}) {
		t.Errorf("%+v", r)
	}
}
