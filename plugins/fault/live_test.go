package fault

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func item(id InjectionID) RawItem {
	return RawItem{ID: id, Target: Target{Host: string(id)}, Change: json.RawMessage(`{"id": "` + string(id) + `"}`)}
}

// The property: what is due is exactly what was added, not removed, and has its
// last successful end behind it.
func TestLiveKeepsTheLastEndThatWasGranted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, want := newLive(), map[InjectionID]BootTime{}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			id := rapid.SampledFrom([]InjectionID{"a", "b", "c"}).Draw(t, "id")
			if rapid.Bool().Draw(t, "remove") {
				l.remove(item(id).Target, json.RawMessage(`{"id":"`+string(id)+`"}`)) // written otherwise
				delete(want, id)
				continue
			}
			until := BootTime(rapid.IntRange(1, 9).Draw(t, "until"))
			settle := l.add([]RawItem{item(id)}, until)
			_, was := want[id]
			if ok := rapid.Bool().Draw(t, "ok"); ok {
				settle([]Applied{{ID: id}})
			} else {
				settle([]Applied{{ID: id, Err: &Error{Code: CodeInternal}}})
				if was {
					continue // the renewal failed: the old end holds
				}
			}
			want[id] = until
		}
		now := BootTime(rapid.IntRange(1, 9).Draw(t, "now"))
		due, _, all := l.due(now)
		for id, until := range want {
			if got := slices.ContainsFunc(due, func(it RawItem) bool { return it.ID == id }); got != (until <= now) {
				t.Errorf("%s with end %d at %d: due is %v", id, until, now, got)
			}
		}
		if all != len(want) {
			t.Errorf("%d live, want %d", all, len(want))
		}
	})
}

// A Revert that overtakes its Apply would leave the change behind.
func TestRevertWaitsForARunningApply(t *testing.T) {
	l := newLive()
	settle := l.add([]RawItem{item("a")}, 5)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := l.settled(ctx, item("a").Target, item("a").Change); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside a running apply: %v", err)
	}
	settle(nil)
	if err := l.settled(t.Context(), item("a").Target, item("a").Change); err != nil {
		t.Error(err)
	}
}

func TestErrorsKeepTheirMeaningOnTheWire(t *testing.T) {
	for _, err := range []error{ErrGone, ErrChanged, ErrStuck, ErrUnsupported} {
		wrapped := errors.Join(errors.New("knob x"), err)
		got := errorOf(errorPB(wrapped)).Err()
		if !errors.Is(got, err) || got.Error() != wrapped.Error() {
			t.Errorf("%v became %v", wrapped, got)
		}
	}
	got := errorOf(errorPB(Refuse("ports[1]", "is 0; give 1 to 65535")))
	var r *RefusedError
	if !errors.As(got, &r) || r.Field != "ports[1]" || r.Reason != "is 0; give 1 to 65535" {
		t.Errorf("refusal became %+v", r)
	}
	if errorOf(errorPB(nil)).Err() != nil {
		t.Error("no error became one")
	}
	if again := AsError(errors.Join(errors.New("host h"), got)); again.Code != CodeRefused || again.Message == got.Message {
		t.Errorf("wrapped again: %+v", again)
	}
}

// A renewal that hangs may be overtaken by the next: Revert waits for both.
func TestRevertWaitsForAllRunningApplies(t *testing.T) {
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		l := newLive()
		l.add([]RawItem{item("a")}, 5)([]Applied{{ID: "a"}})
		settle := []func([]Applied){l.add([]RawItem{item("a")}, 6), l.add([]RawItem{item("a")}, 7)}
		settle[order[0]](nil)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := l.settled(ctx, item("a").Target, item("a").Change); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("order %v: beside a running apply: %v", order, err)
		}
		cancel()
		settle[order[1]](nil)
		if err := l.settled(t.Context(), item("a").Target, item("a").Change); err != nil {
			t.Error(err)
		}
	}
}
