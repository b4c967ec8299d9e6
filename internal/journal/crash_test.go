package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// history is a journal of some injections and what it says after each line.
func history(t *testing.T, path string) (whole []byte, ends []int) {
	j := open(t, path)
	note := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(j.log.Size()))
	}
	note(j.Intent(intent("a")))
	note(j.Intent(intent("b")))
	note(j.Applied("a", fault.Applied{ID: "a"}, 1, 1))
	note(j.Ended("a", Reverted, ByAgent, nil))
	note(j.Applied("b", fault.Applied{ID: "b"}, 1, 1))
	note(j.Ended("b", Stuck, ByAgent, fault.AsError(fault.ErrStuck)))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b, ends
}

// TestCutAtEveryByte: wherever a crash cuts the file, every line before the cut
// counts, the journal goes on taking injections and loses none of them.
func TestCutAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	whole, ends := history(t, filepath.Join(dir, "whole"))
	for cut := range len(whole) + 1 {
		path := filepath.Join(dir, "cut")
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		intact := 0
		for _, end := range ends {
			if end <= cut {
				intact++
			}
		}
		j, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		want := newView(parse(whole[:append([]int{0}, ends...)[intact]]).records)
		if diff := cmp.Diff(phases(want.live()), phases(j.Live())); diff != "" {
			t.Fatalf("cut at %d: %s", cut, diff)
		}
		if err := j.Intent(intent("new")); err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		_ = j.Close()
		after, err := Open(path)
		if err != nil || after.Err() != nil {
			t.Fatalf("cut at %d: %v, %v", cut, err, after.Err())
		}
		if diff := cmp.Diff(append(phases(want.live()), "new intent"), phases(after.Live())); diff != "" {
			t.Fatalf("cut at %d, then one more: %s", cut, diff)
		}
		_ = after.Close()
	}
}

// TestUnwrittenBlocks: a last line of which some blocks never reached the disk
// is torn, not damage.
func TestUnwrittenBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	whole, ends := history(t, path)
	last := ends[len(ends)-2]
	for i := last + 3; i < len(whole)-1; i++ {
		whole[i] = 0
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, path)
	if j.Err() != nil || len(j.Live()) != 1 {
		t.Errorf("%v, live %v", j.Err(), phases(j.Live()))
	}
}

// FuzzParse: whatever is in the file, nothing panics, and records appended
// after it are found.
func FuzzParse(f *testing.F) {
	line, err := encode(stamped(func() Record { r := intent("a"); r.Phase = Intent; return r }()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(line[:len(line)/2])
	f.Add(append(slices.Clone(line), 0, 0, '\n'))
	f.Add([]byte("####\n\n00000000 {}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := parse(b)
		if c.torn >= 0 {
			b = append(slices.Clone(b[:c.torn]), blank(int64(len(b))-c.torn)...)
		} else if len(b) > 0 && b[len(b)-1] != '\n' {
			t.Fatal("no newline at the end, and not torn")
		}
		again := parse(append(slices.Clone(b), line...))
		if again.torn >= 0 || len(again.records) != len(c.records)+1 {
			t.Fatalf("%d records, then %d; torn at %d", len(c.records), len(again.records), again.torn)
		}
		if bytes.Contains(b, line) && len(c.records) == 0 && bytes.HasPrefix(b, line) {
			t.Fatal("an intact first record was lost")
		}
	})
}

// TestAnyHistory: after any order of calls and any number of reopenings, what
// is live is what was recorded and not ended, in order.
func TestAnyHistory(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(dir, fmt.Sprint(runs))
		j, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		var live []string
		next := 0
		t.Repeat(map[string]func(*rapid.T){
			"intent": func(t *rapid.T) {
				id := fmt.Sprintf("i%d", next)
				next++
				if err := j.Intent(intent(id)); err != nil {
					t.Fatal(err)
				}
				live = append(live, id)
			},
			"end": func(t *rapid.T) {
				if len(live) == 0 {
					t.Skip("nothing is live")
				}
				n := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				phase := rapid.SampledFrom([]Phase{Reverted, Gone, Stuck, EndedByPowerloss}).Draw(t, "phase")
				if err := j.Ended(fault.InjectionID(live[n]), phase, ByAgent, nil); err != nil {
					t.Fatal(err)
				}
				live = slices.Delete(live, n, n+1)
			},
			"reopen": func(t *rapid.T) {
				_ = j.Close()
				if j, err = Open(path); err != nil {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				var got []string
				for _, r := range j.Live() {
					got = append(got, string(r.ID))
				}
				if !slices.Equal(live, got) {
					t.Fatalf("live are %v, the journal says %v", live, got)
				}
			},
		})
	})
}
