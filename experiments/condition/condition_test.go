package condition

import (
	"errors"
	"strings"
	"testing"
)

// fixed answers with fixed figures; a missing one is unknown.
type fixed map[string]float64

func (f fixed) get(what, name string) (float64, bool) { v, ok := f[what+" "+name]; return v, ok }

func (f fixed) Availability(p string) (float64, bool) { return f.get("availability", p) }
func (f fixed) P99(p string) (float64, bool)          { return f.get("p99", p) }
func (f fixed) Outage(p string) (float64, bool)       { return f.get("outage", p) }
func (f fixed) Acknowledged(l string) (int64, bool) {
	v, ok := f.get("acknowledged", l)
	return int64(v), ok
}

func (f fixed) Unacknowledged(l string) (int64, bool) {
	v, ok := f.get("unacknowledged", l)
	return int64(v), ok
}

var names = Names{Probes: []string{"text", "bank-core"}, Ledgers: []string{"talk"}}

func TestEval(t *testing.T) {
	figures := fixed{"availability text": 0.4, "p99 text": 0.3, "outage text": 12, "acknowledged talk": 1000, "unacknowledged talk": 150}
	for text, want := range map[string]State{
		`availability("text") < 0.5`:                                True,
		`availability("text") < 0.4`:                                False,
		`availability("text") < 1`:                                  True,
		`p99("text") > 0.25 && outage("text") >= 10`:                True,
		`outage("text") > 60`:                                       False,
		`unacknowledged("talk") * 10 > acknowledged("talk")`:        True,
		`!(availability("text") < 0.5)`:                             False,
		`availability("bank-core") < 0.5`:                           Unknown,
		`!(availability("bank-core") < 0.5)`:                        Unknown,
		`availability("bank-core") < 0.5 || outage("text") > 1`:     True,
		`availability("bank-core") < 0.5 && outage("text") > 60`:    False,
		`availability("bank-core") < 0.5 || outage("text") > 60`:    Unknown,
		`outage("text") > 10 ? outage("text") < 60 : p99("text")>1`: True,
	} {
		c, err := New(text, names, figures)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := c.Eval(); got != want || err != nil {
			t.Errorf("%s: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestProblems(t *testing.T) {
	for _, c := range []struct {
		text   string
		column int
		says   string
	}{
		{`availability("texts") < 0.5`, 14, `no probe is named "texts"`},
		{`true && acknowledged("text") > 1`, 22, `no ledger is named "text"`},
		{`availability("text")`, 1, "type double"},
		{`availability("text") < "half"`, 22, "no matching overload"},
		{`availability(7) < 0.5`, 13, "no matching overload"},
		{`availability("te" + "xt") < 0.5`, 19, "needs the name of a probe"},
		{`availabilty("text") < 0.5`, 12, "undeclared reference"},
		{`availability("text") <`, 23, "Syntax error"},
		{`1 < 2`, 1, "never changes"},
	} {
		_, err := New(c.text, names, nil)
		var problems Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Errorf("%s: %v, want a problem", c.text, err)
			continue
		}
		if p := problems[0]; p.Column != c.column || p.Line != 1 || !strings.Contains(p.Message, c.says) {
			t.Errorf("%s: %d:%d %s; want column %d, %q", c.text, p.Line, p.Column, p.Message, c.column, c.says)
		}
	}
}

// A condition that works for ever gives up instead.
func TestCostIsBounded(t *testing.T) {
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 60), ",") + "]"
	c, err := New(`outage("text") >= 0 && `+list+`.all(a, `+list+`.all(b, `+list+`.all(c, a == b && b == c)))`, names, fixed{"outage text": 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Eval(); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("got %v, want the cost limit", err)
	}
}
