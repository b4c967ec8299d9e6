package ledger_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/injector/internal/ledger"
)

func writes(states ...ledger.State) []ledger.Write {
	var out []ledger.Write
	for i, s := range states {
		out = append(out, ledger.Write{Ledger: "talk", N: i + 1, State: s})
	}
	return out
}

func TestNewAudit(t *testing.T) {
	const a, u, r = ledger.Acknowledged, ledger.Unknown, ledger.Refused
	for name, c := range map[string]struct {
		writes []ledger.Write
		active ledger.Copy
		sites  map[string]ledger.Copy
		want   ledger.Audit
	}{
		"all kept": {
			writes: writes(a, a, a), active: ledger.Copy{Numbers: []int{1, 2, 3}},
			want: ledger.Audit{Sent: 3, Acknowledged: 3, Kept: 3, Sites: map[string]int{}},
		},
		"elsewhere and lost": {
			writes: writes(a, a, a), active: ledger.Copy{Numbers: []int{1}},
			sites: map[string]ledger.Copy{"pangyo": {Numbers: []int{1, 2}}, "anyang": {Numbers: []int{1}}},
			want:  ledger.Audit{Sent: 3, Acknowledged: 3, Kept: 1, Missing: 2, Elsewhere: 1, Lost: 1, Sites: map[string]int{"pangyo": 2, "anyang": 1}},
		},
		"a disk that cannot be read loses nothing for sure": {
			writes: writes(a, a), active: ledger.Copy{Numbers: []int{1}},
			sites: map[string]ledger.Copy{"pangyo": {Error: "status 503"}},
			want:  ledger.Audit{Sent: 2, Acknowledged: 2, Kept: 1, Missing: 1, Unaccounted: 1, Unreadable: []string{"pangyo: status 503"}, Sites: map[string]int{}},
		},
		"active cannot be read": {
			writes: writes(a, a), active: ledger.Copy{Error: "refused"},
			sites: map[string]ledger.Copy{"pangyo": {Numbers: []int{1}}},
			want:  ledger.Audit{Sent: 2, Acknowledged: 2, Missing: 2, Elsewhere: 1, Unaccounted: 1, ActiveUnread: true, Unreadable: []string{"active: refused"}, Sites: map[string]int{"pangyo": 1}},
		},
		"unknown, refused, duplicated, out of order, never sent": {
			writes: writes(a, u, r, a, u), active: ledger.Copy{Numbers: []int{4, 1, 4, 4, 2, 3, 99}},
			want: ledger.Audit{Sent: 5, Acknowledged: 2, Kept: 2, Duplicated: 1, OutOfOrder: 1, Unknown: 2, UnknownKept: 1, Refused: 1, RefusedKept: 1, Unexpected: 1, Sites: map[string]int{}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Name = "talk"
			if diff := cmp.Diff(c.want, ledger.NewAudit("talk", c.writes, c.active, c.sites)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Model: a few stores that keep each write or not, by lot. Every acknowledged
// number is accounted for exactly once, and the counts are those of the model.
func TestAuditAccountsForEveryWrite(t *testing.T) {
	states := []ledger.State{ledger.Acknowledged, ledger.Unknown, ledger.Refused}
	rapid.Check(t, func(t *rapid.T) {
		sent := writes(rapid.SliceOfN(rapid.SampledFrom(states), 0, 60).Draw(t, "states")...)
		kept := func(label string) []int {
			var numbers []int
			for _, w := range sent {
				for range rapid.IntRange(0, 2).Draw(t, label) {
					numbers = append(numbers, w.N)
				}
			}
			return numbers
		}
		active := ledger.Copy{Numbers: kept("active")}
		sites := map[string]ledger.Copy{"pangyo": {Numbers: kept("pangyo")}, "anyang": {Numbers: kept("anyang")}}
		unread := rapid.Bool().Draw(t, "anyang unreadable")
		if unread {
			sites["anyang"] = ledger.Copy{Error: "dark"}
		}
		got := ledger.NewAudit("talk", sent, active, sites)
		if got.Acknowledged+got.Unknown+got.Refused != got.Sent {
			t.Fatalf("sent %d is not the sum of %+v", got.Sent, got)
		}
		if got.Kept+got.Missing != got.Acknowledged || got.Elsewhere+got.Lost+got.Unaccounted != got.Missing {
			t.Fatalf("not every acknowledged write is accounted for: %+v", got)
		}
		if unread && got.Lost > 0 || !unread && got.Unaccounted > 0 {
			t.Fatalf("lost and unaccounted mixed up: %+v", got)
		}
		lost, elsewhere := 0, 0
		for _, w := range sent {
			if w.State != ledger.Acknowledged || slices.Contains(active.Numbers, w.N) {
				continue
			}
			if slices.Contains(sites["pangyo"].Numbers, w.N) || slices.Contains(sites["anyang"].Numbers, w.N) {
				elsewhere++
			} else {
				lost++
			}
		}
		if elsewhere != got.Elsewhere || lost != got.Lost+got.Unaccounted {
			t.Fatalf("model has %d elsewhere, %d lost; audit %+v", elsewhere, lost, got)
		}
		if !slices.Contains(slices.Collect(maps.Keys(got.Sites)), "pangyo") {
			t.Fatal("a site that was read is not in the report")
		}
	})
}
