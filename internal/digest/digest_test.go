package digest

import (
	"testing"
	"time"

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
	at := func(ahead time.Duration, boot string) Digest {
		return Digest{Lines: []string{offset{ahead, boot}.String()}}
	}
	was := at(time.Second, "one")
	if d := Diff(was, at(1400*time.Millisecond, "one")); len(d) != 0 {
		t.Errorf("a slewed clock differs: %v", d)
	}
	if d := Diff(was, at(3*time.Second, "one")); len(d) != 2 {
		t.Errorf("a stepped clock: got %v, want two lines", d)
	}
	if d := Diff(was, at(time.Hour, "two")); len(d) != 0 {
		t.Errorf("the clock of another boot differs: %v", d)
	}
	if was.Sum() != at(2*time.Second, "two").Sum() {
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
