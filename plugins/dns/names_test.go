package dns

import (
	"errors"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// refusedField is the field that an error refuses; empty: none.
func refusedField(t *testing.T, err error) string {
	t.Helper()
	var refused *fault.RefusedError
	if err != nil && !errors.As(err, &refused) {
		t.Errorf("%v is no refusal", err)
	}
	if err == nil {
		return ""
	}
	return refused.Field
}

func TestReadNames(t *testing.T) {
	for text, want := range map[string]string{
		"db.example.com": "db.example.com", "DB.Example.com.": "db.example.com", "*.Example.com": "*.example.com", "localhost": "localhost", "_sip._tcp.example": "_sip._tcp.example",
		"": "", ".": "", "*": "", "*.": "", "a..b": "", "*.*.com": "", "db.*.com": "", "bücher.example": "", "10.0.0.1": "", "::1": "", "a b": "",
		strings.Repeat("x", 64): "", strings.Repeat("x.", 126) + "xx": "",
	} {
		got, err := readNames([]string{text})
		if field := refusedField(t, err); (want == "") != (field == "names[0]") || want != "" && got[0] != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	if _, err := readNames([]string{}); refusedField(t, err) != "names" {
		t.Errorf("an empty list: %v", err)
	}
	if got, err := readNames(nil); err != nil || got != nil {
		t.Errorf("no list: %v, %v", got, err)
	}
}

// No name is hit by which the agent finds its way back, also not one that it may
// look up below a search domain.
func TestControlIsRefused(t *testing.T) {
	for _, c := range []struct {
		control string
		names   []string
		field   string
	}{
		{"", nil, ""},
		{"nats.example.com", nil, "names"},
		{"nats.example.com", []string{"db.example.com", "nats.example.com"}, "names[1]"},
		{"NATS.example.com.", []string{"*.example.com"}, "names[0]"},
		{"nats.example.com", []string{"example.com", "*.nats.example.com", "*.net"}, ""},
		{"broker", []string{"db", "broker.example.com"}, "names[1]"},
		{"broker", []string{"*.example.com"}, "names[0]"},
		{"broker", []string{"brokers.example.com", "db.broker.example"}, ""},
	} {
		var control []string
		if c.control != "" {
			control = []string{c.control}
		}
		if got := refusedField(t, refuseControl(c.names, control)); got != c.field {
			t.Errorf("%s, %q: refused %q, want %q", c.control, c.names, got, c.field)
		}
	}
	_, err := (&Plugin{}).Prepare(t.Context(), fault.Target{ExemptNames: []string{"nats.example.com"}}, Params{Mode: "drop"})
	if got := refusedField(t, err); got != "names" {
		t.Errorf("Prepare: refused %q", got)
	}
}
