package experiments

import (
	"errors"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

// Whatever the bytes are, Parse returns: an experiment, or problems with places
// inside the file.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"good.yaml", "ten-errors.yaml"} {
		src, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	for _, s := range []string{"", "a", "- 1", "{", "a: *b", "&a [*a]", "? [a]: b", "<<: {a: 1}", "a: ${b}", "stages: [{faults: [1]}]", "variables: 3", "\x00", "---\n---\n", "a: .inf"} {
		f.Add([]byte(s))
	}
	p, err := NewParser(testFaults)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		e, err := p.Parse(src, "fuzz.yaml", nil)
		if err == nil {
			if e == nil || e.Name == "" || len(e.Stages) == 0 {
				t.Errorf("accepted %q as %+v", src, e)
			}
			return
		}
		var wrong *strict.Error
		if !errors.As(err, &wrong) || len(wrong.Problems) == 0 {
			t.Fatalf("error without problems: %v", err)
		}
		for _, p := range wrong.Problems {
			if p.File != "fuzz.yaml" || p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Errorf("problem without a place: %+v", p)
			}
		}
		_ = err.Error()
	})
}
