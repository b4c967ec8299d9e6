package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

func TestRun(t *testing.T) {
	skip := func(reason string) string {
		return `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: ` + reason + `\n"}
{"Action":"skip","Package":"p","Test":"TestA"}
`
	}
	unmet := need.Need("")
	for _, n := range []need.Need{need.Root, need.Nft, need.Loop} {
		if !need.Met(n) {
			unmet = n
		}
	}
	cases := []struct {
		name, in, want string
		ok             bool
	}{
		{"all pass", `{"Action":"pass","Package":"p","Test":"TestA"}`, "every test ran", true},
		{"a second try", `{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: tried again: too busy\n"}
{"Action":"pass","Package":"p","Test":"TestA"}`, "tried again: p.TestA: too busy\n", true},
		{"a failure", `{"Action":"fail","Package":"p","Test":"TestA"}`, "failed: p TestA", false},
		{"a test cut off by its time limit", `{"Action":"output","Package":"p","Test":"TestA","Output":"panic: test timed out\n"}
{"Action":"fail","Package":"p"}`, "panic: test timed out", false},
		{"a build failure", `{"Action":"build-fail","ImportPath":"p"}`, "p (build)", false},
		{"a skip without a need", skip("later"), "Not run:\n  hidden: p.TestA: skipped without naming a need", false},
		{"a need nobody can check", skip("not run: needs luck"), "which this machine has", false},
	}
	if unmet != "" {
		cases = append(cases, struct {
			name, in, want string
			ok             bool
		}{"a real need", skip("not run: needs " + string(unmet)), "p.TestA: needs", true})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			err := run(strings.NewReader(c.in), &out)
			if (err == nil) != c.ok {
				t.Errorf("error = %v, want ok = %v", err, c.ok)
			}
			if !strings.Contains(out.String(), c.want) {
				t.Errorf("output lacks %q:\n%s", c.want, &out)
			}
		})
	}
}
