package powerloss

import (
	"encoding/json"
	"testing"

	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// A host that was switched off and on again reads like before. The twin changes
// one knob in it, and it does not.
func TestHostReadsTheSameAfterPowerOn(t *testing.T) {
	l := raise(t, 1)
	before := digestOf(t, l)
	if len(before.Lines) < 100 {
		t.Fatalf("only %d lines", len(before.Lines))
	}
	items := prepared(t, l, "p1")
	dark(t, items)
	lit(t, items)
	if diff := digest.Diff(before, digestOf(t, l)); len(diff) > 0 {
		t.Errorf("after power-on: %q", diff)
	}
	if code, err := l.Exec(t.Context(), "p1", []string{"sh", "-c", "ip link set eth0 mtu 1300"}, lab.Stdio{}); err != nil || code != 0 {
		t.Fatalf("change a knob: exit %d, %v", code, err)
	}
	if diff := digest.Diff(before, digestOf(t, l)); len(diff) == 0 {
		t.Error("a changed knob does not show")
	}
}

func digestOf(t *testing.T, l *lab.Lab) digest.Digest {
	t.Helper()
	_, out := start(t, l, "p1", "digest", "/state")
	var d digest.Digest
	if err := json.NewDecoder(out).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}
