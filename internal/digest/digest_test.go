package digest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDiffNamesBothSides(t *testing.T) {
	before := Digest{Lines: []string{"link a", "link b", "link b"}}
	after := Digest{Lines: []string{"link b", "link c"}}
	want := []string{"- link a", "- link b", "+ link c"}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Error(diff)
	}
}

func TestClockIsComparedWithTolerance(t *testing.T) {
	at := func(s string) Digest { return Digest{Lines: []string{clockPrefix + s}} }
	if d := Diff(at("1000ms"), at("1400ms")); len(d) != 0 {
		t.Errorf("a slewed clock differs: %v", d)
	}
	if d := Diff(at("1000ms"), at("3000ms")); len(d) != 2 {
		t.Errorf("a stepped clock: got %v, want two lines", d)
	}
	if at("1ms").Sum() != at("2ms").Sum() {
		t.Error("the clock counts in the sum")
	}
}

// The sum is equal exactly if nothing differs.
func TestSumAgreesWithDiff(t *testing.T) {
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{"link a", "link b", "mount /", "loop x"}), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		a := (&listing{lines: lines.Draw(t, "a")}).digest(nil)
		b := (&listing{lines: lines.Draw(t, "b")}).digest(nil)
		if (a.Sum() == b.Sum()) != (len(Diff(a, b)) == 0) {
			t.Fatalf("sum and diff disagree: %v", Diff(a, b))
		}
	})
}
