package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/conformance"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/pluginfolder"
)

const python = "../plugins/examples/python/hops.py"

// A plugin in Python passes the whole suite, and each history is told.
func TestPythonPluginPasses(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs, need.Python)
	injector := filepath.Join(t.TempDir(), "injector")
	tool(t, ".", nil, "go", "build", "-o", injector, ".")
	out := tool(t, ".", nil, injector, "plugin", "test", python)
	t.Log(out)
	for _, h := range conformance.Histories() {
		if !strings.Contains(out, "s  "+h.Name+"\n") && !strings.Contains(out, h.Name+": not tried") {
			t.Errorf("%s is not told", h.Name)
		}
	}
	if strings.Contains(out, "FAIL") || !strings.Contains(out, " 0 failed") {
		t.Error("not all passed")
	}
}

// The twins: a plugin that reverts nothing, and one that does nothing and says
// it did.
func TestWrongPythonPluginsFail(t *testing.T) {
	need.Check(t, need.Root, need.Loop, need.Mkfs, need.Python)
	dir := t.TempDir()
	injector := filepath.Join(dir, "injector")
	tool(t, ".", nil, "go", "build", "-o", injector, ".")
	b, err := os.ReadFile(python)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, says string }{
		"forgetful": {`write(change["before"])`, `pass`, "not left as found"},
		"idle":      {`write(change["after"])`, `globals().update(read=lambda: change["after"])`, "nothing that the host lists is different"},
	} {
		text := strings.Replace(string(b), c.old, c.new, 1)
		if text == string(b) {
			t.Fatalf("%s: nothing to replace", name)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		out, code := fails(t, injector, "plugin", "test", "--history", "apply, revert", path)
		if code != exitDeviated || !strings.Contains(out, "FAIL") || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit code %d:\n%s", name, code, out)
		}
	}
}

func TestPluginTestSaysWhatIsWrongWithItsInput(t *testing.T) {
	need.Check(t, need.Root, need.Python)
	wrong := filepath.Join(t.TempDir(), "params.yaml")
	if err := os.WriteFile(wrong, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"plugin", "test", "/nonexistent"}, exitInvalid},
		{[]string{"plugin", "test", "--params", "/nonexistent", python}, exitInvalid},
		{[]string{"plugin", "test", "--params", wrong, python}, exitInvalid},
		{[]string{"plugin", "test", "--history", "no such", python}, exitInvalid},
		{[]string{"plugin", "manifest", "plugin.go"}, exitInvalid},
	} {
		if _, code, err := call(c.args...); code != c.code {
			t.Errorf("%q: exit code %d, %v", c.args, code, err)
		}
	}
	text, _, err := call("plugin", "manifest", python)
	if err != nil {
		t.Fatal(err)
	}
	var m pluginfolder.Manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil || pluginfolder.Verify(python, m.SHA256) != nil || m.Info.Kind != "hops" {
		t.Errorf("manifest %s: %v", text, err)
	}
}
