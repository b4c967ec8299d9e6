package scaffold

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"hops": true, "slow2": true, "": false, "x": false, "2slow": false, "Hops": false, "slow-link": false, "slow_link": false,
		"../hops": false, "a/b": false, "func": false, "range": false, "on": false, "until": false, "fault": false, "internal": false,
		"$(reboot)": false, strings.Repeat("a", 25): false, "naïve": false,
	} {
		if err := CheckName(name); (err == nil) != ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

const lines = "package main\n\nimport (\n\t_ \"github.com/firedrill-io/firedrill/plugins/cpu\"\n\t_ \"github.com/firedrill-io/firedrill/plugins/memory\"\n)\n"

func TestLineIsAddedInOrder(t *testing.T) {
	for name, before := range map[string]string{"abc": "plugins/cpu", "hops": "plugins/memory", "zero": ")\n"} {
		got, err := addLine(lines, name)
		if err != nil {
			t.Fatal(err)
		}
		line := "\t_ \"github.com/firedrill-io/firedrill/plugins/" + name + "\"\n"
		if strings.Replace(got, line, "", 1) != lines {
			t.Errorf("%s: more than one line was added:\n%s", name, got)
		}
		if strings.Index(got, line) > strings.LastIndex(got, before) {
			t.Errorf("%s: not in order:\n%s", name, got)
		}
	}
	for name, text := range map[string]string{"memory": lines, "hops": "package main\n"} {
		if _, err := addLine(text, name); err == nil {
			t.Errorf("%s: a line was added to %q", name, text)
		}
	}
}

// Whatever goes wrong, nothing is left behind.
func TestNothingIsLeftAfterAnError(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "plugins/cpu"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hops", "cpu"} { // no list; there already
		if _, _, err := New(root, name); err == nil {
			t.Errorf("%s was begun", name)
		}
	}
	if left, err := os.ReadDir(filepath.Join(root, "plugins")); err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if _, err := Find(root); err == nil {
		t.Error("a folder that is no repository was taken for one")
	}
}
