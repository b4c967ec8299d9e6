package strict

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPositions(t *testing.T) {
	d := Read([]byte("a: 1\nlist:\n  - {x: ü, y: [1, 2]}\n  - z: |\n      text\n\"q\": T+3m\n"), "f.yaml")
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n            *Node
		line, column int
	}{
		{d.Root, 1, 1}, {d.Root.Get("a"), 1, 4}, {d.Root.Get("list"), 3, 3},
		{d.Root.Get("list").List()[0].Get("y").List()[1], 3, 19},
		{d.Root.Get("list").List()[1].Get("z"), 4, 8}, {d.Root.Get("q"), 6, 6},
	} {
		if c.n.Line != c.line || c.n.Column != c.column {
			t.Errorf("%v stands at %d:%d, want %d:%d", c.n.Value, c.n.Line, c.n.Column, c.line, c.column)
		}
	}
	if p, _ := d.Root.Get("list").List()[0].Pair("y"); p.Line != 3 || p.Column != 12 {
		t.Errorf("key y stands at %d:%d", p.Line, p.Column)
	}
}

func TestReadRefuses(t *testing.T) {
	for src, says := range map[string]string{
		"":                                      "file is empty",
		"# only a comment":                      "file is empty",
		"a: 1\n---\nb: 2":                       "second YAML document",
		"a: [1":                                 "not YAML",
		"a: b: c":                               "1:4: not YAML",
		"a: &x 1":                               "anchors",
		"a: *x":                                 "anchors",
		"a: !!int 3":                            "anchors",
		"<<: {a: 1}":                            "key is not a text",
		"a: 1\nb: 2\na: 3":                      `3:1: key "a" stands already in line 1`,
		"a: .inf":                               "not part of this format",
		strings.Repeat("[", 100):                "nested deeper",
		"a: " + strings.Repeat("x", maxSize+10): "larger than",
	} {
		err := Read([]byte(src), "f.yaml").Err()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.20q: got %v; want %q", src, err, says)
		}
	}
}

func TestInterpolate(t *testing.T) {
	values := map[string]any{"one": "1", "n": int64(7), "list": []any{"a", "b"}, "empty": []any{}}
	for src, want := range map[string]any{
		"${one}":              "1",
		"${n}":                int64(7),
		"x${n}y${one}":        "x7y1",
		"${list}":             []any{"a", "b"},
		"http://${list}:${n}": []any{"http://a:7", "http://b:7"},
		"$${one}":             "${one}",
		"a$b $x {y}":          "a$b $x {y}",
		"${keep} ${one}":      "${keep} 1",
		"${keep}":             "${keep}",
	} {
		d := Read([]byte(`v: "`+src+`"`), "f.yaml")
		d.Interpolate(d.Root, values, "keep")
		if err := d.Err(); err != nil {
			t.Errorf("%s: %v", src, err)
		}
		if diff := cmp.Diff(want, d.Root.Get("v").Any()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", src, diff)
		}
	}
	d := Read([]byte(`[x, "${list}", "${empty}", "${one}", [y]]`), "f.yaml")
	d.Interpolate(d.Root, values)
	if diff := cmp.Diff([]any{"x", "a", "b", "1", []any{"y"}}, d.Root.Any()); diff != "" {
		t.Errorf("spliced (-want +got):\n%s", diff)
	}
	for src, says := range map[string]string{
		"${lst}": "did you mean list?", "${": "not closed", "${a b}": "not the name", "${list}${list}": "two lists",
	} {
		d := Read([]byte(`v: "`+src+`"`), "f.yaml")
		d.Interpolate(d.Root, values)
		if err := d.Err(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v; want %q", src, err, says)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"until", "restore", "partition", "powerloss", "on", "a"}
	for word, want := range map[string]string{
		"untl": "until", "pratition": "partition", "Powerloss": "powerloss", "b": "", "xyz": "", "no": "on",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}

// A long line is cut around the place, and the caret stays under it.
func TestWindow(t *testing.T) {
	line := strings.Repeat("x", 200) + "HERE" + strings.Repeat("y", 200)
	shown, before := window(line, 201)
	at := len([]rune(before))
	if !strings.HasPrefix(string([]rune(shown)[at:]), "HERE") || len([]rune(shown)) > sourceWidth+2 {
		t.Errorf("%q, caret at %d", shown, at)
	}
	if shown, before := window("a\tb", 99); shown != "a\tb" || before != " \t " {
		t.Errorf("%q %q", shown, before)
	}
}
