package preflight

import (
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
)

// What a lab needs is there where labs are tested: a probe that says otherwise
// is wrong, since the tests of the lab run on this machine too.
func TestRun(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	checks := Run()
	if missing := Missing(checks); len(missing) > 0 {
		t.Errorf("missing:\n%s", Text(missing))
	}
}

// A probe that fails is missing if something needs it, and its line says what
// is lost and what to do.
func TestText(t *testing.T) {
	checks := []Check{
		{Name: "here", Lost: []string{"x"}},
		{Name: "loop", Lost: []string{theLab, thePowerloss}, Cause: "no such file", Remedy: "load the module"},
		{Name: "netem", Cause: "no such file", Remedy: "delay has its own"},
	}
	if m := Missing(checks); len(m) != 1 || m[0].Name != "loop" {
		t.Errorf("missing: %v", m)
	}
	text := Text(checks)
	for _, want := range []string{"ok       here\n", "MISSING  loop: no such file\n", "cannot run: " + theLab + "; " + thePowerloss, "load the module", "absent   netem: no such file (delay has its own)\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
