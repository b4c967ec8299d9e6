package plugintest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestParametersAreReadOrTakenFromExamples(t *testing.T) {
	schema := func(s string) fault.Info { return fault.Info{Params: []byte(s)} }
	withExample := schema(`{"required":["ttl"],"properties":{"ttl":{"examples":[9]},"x":{}}}`)
	for name, c := range map[string]struct {
		text string
		info fault.Info
		want string
	}{
		"JSON":       {`{"ttl":3}`, withExample, `{"ttl": 3}`},
		"YAML":       {"ttl: 3\n", withExample, `{"ttl": 3}`},
		"none":       {"", withExample, `{"ttl":9}`},
		"no example": {"", schema(`{"required":["ttl"],"properties":{"ttl":{}}}`), ""},
		"no YAML":    {"{a", withExample, ""},
	} {
		var text []byte
		if c.text != "" {
			text = []byte(c.text)
		}
		got, err := paramsOf(text, c.info)
		if string(got) != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, ErrBadInput) {
			t.Errorf("%s: got %s, error %v", name, got, err)
		}
	}
}

func TestWhatIsNoPluginIsRefused(t *testing.T) {
	need.Check(t, need.Root)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{text, "/nonexistent", "/bin/false", "/"} {
		if _, err := Run(t.Context(), Options{Path: path}, io.Discard); !errors.Is(err, ErrBadInput) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Run(t.Context(), Options{Path: "/bin/true", Only: []string{"no such"}}, io.Discard); !errors.Is(err, ErrBadInput) {
		t.Errorf("an unknown history: %v", err)
	}
}

func TestHiddenFolders(t *testing.T) {
	for path, want := range map[string]bool{"/tmp/x/plugin": true, "/data/p": true, "/usr/lib/firedrill/hops": false, "/tmpfoo/x": false} {
		if got := hidden(path); got != want {
			t.Errorf("%s: hidden %v", path, got)
		}
	}
}
