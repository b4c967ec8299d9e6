package faultlist

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/firedrill-io/firedrill/plugins"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Every built-in fault is listed whole, and no line is wider than a terminal.
func TestBuiltInFaultsFitATerminal(t *testing.T) {
	infos, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	for kind, info := range infos {
		text, err := Text([]Entry{{info, BuiltIn}})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, string(kind)) {
			t.Errorf("%s: begins with %.20q", kind, text)
		}
		words := strings.Join(strings.Fields(text), " ")
		for _, want := range append(append([]string{info.Summary}, info.Needs.Capabilities...), info.ConflictKeys...) {
			if !strings.Contains(words, strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%s: does not say %q", kind, want)
			}
		}
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%s: %d columns: %s", kind, n, line)
			}
		}
	}
}

func TestParametersAreTold(t *testing.T) {
	lines, err := parametersOf([]byte(`{"type":"object","required":["ttl"],"properties":{
		"peer":{"type":"array","items":{"type":"string"},"description":"Who"},
		"mode":{"enum":["in","out"],"default":"in"},
		"ttl":{"type":"integer","minimum":1,"maximum":255,"examples":[9]},
		"rate":{"type":"string","title":"bytes a second"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ttl (1 to 255, needed, such as 9)", "mode (in or out, default in)", "peer (list: string) Who", "rate (bytes a second)"}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s", strings.Join(lines, "\n"))
	}
	if _, err := Text([]Entry{{fault.Info{Kind: "x", Params: []byte("{")}, BuiltIn}}); err == nil {
		t.Error("a broken schema was listed")
	}
}
