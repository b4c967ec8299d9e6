package pluginfolder

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// install makes a plugin folder with one plugin, whose manifest edit may spoil.
func install(t *testing.T, edit func(*Manifest)) (dir string) {
	t.Helper()
	dir = t.TempDir()
	folder := filepath.Join(dir, "hops")
	exe := filepath.Join(folder, "run")
	for _, err := range []error{os.Mkdir(folder, 0o755), os.WriteFile(exe, []byte("#!/bin/false\n"), 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	digest, err := Digest(exe)
	if err != nil {
		t.Fatal(err)
	}
	m := Manifest{Executable: "run", SHA256: digest, Contracts: []int{1, 7}, Capabilities: []string{"CAP_NET_ADMIN"},
		Info: fault.Info{Kind: "hops", Needs: fault.Needs{Capabilities: []string{"CAP_NET_ADMIN"}}, Params: []byte(`{}`)}}
	edit(&m)
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ManifestName), b, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSoundPluginIsRead(t *testing.T) {
	need.Check(t, need.Root)
	dir := install(t, func(*Manifest) {})
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := got["hops"]
	if p.Path != filepath.Join(dir, "hops/run") || p.Contract != 1 {
		t.Errorf("got %+v", p)
	}
}

func TestUnsoundPluginsAreRefused(t *testing.T) {
	need.Check(t, need.Root)
	for name, c := range map[string]struct {
		edit func(*Manifest)
		says string
	}{
		"another digest":     {func(m *Manifest) { m.SHA256 = strings.Repeat("0", 64) }, "pinned"},
		"no digest":          {func(m *Manifest) { m.SHA256 = "abc" }, "sha256"},
		"another name":       {func(m *Manifest) { m.Info.Kind = "skips" }, "one name"},
		"a path":             {func(m *Manifest) { m.Executable = "../run" }, "executable"},
		"no common contract": {func(m *Manifest) { m.Contracts = []int{7, 8} }, "[7 8]"},
		"too few rights":     {func(m *Manifest) { m.Capabilities = nil }, "CAP_NET_ADMIN"},
		"no parameters":      {func(m *Manifest) { m.Info.Params = nil }, "manifest"},
	} {
		if _, err := Read(install(t, c.edit)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.says)
		}
	}
}

func TestWhatOthersMayChangeIsRefused(t *testing.T) {
	need.Check(t, need.Root)
	for name, spoil := range map[string]func(dir string) error{
		"executable of another owner": func(dir string) error { return os.Chown(filepath.Join(dir, "hops/run"), 65534, 65534) },
		"manifest others may write":   func(dir string) error { return os.Chmod(filepath.Join(dir, "hops", ManifestName), 0o666) },
		"folder others may write":     func(dir string) error { return os.Chmod(dir, 0o777) },
	} {
		dir := install(t, func(*Manifest) {})
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "trust") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := List(dir); err != nil {
			t.Errorf("%s: cannot even be listed: %v", name, err)
		}
	}
}

func TestChangedExecutableIsNamed(t *testing.T) {
	dir := install(t, func(*Manifest) {})
	exe := filepath.Join(dir, "hops/run")
	digest, err := Digest(exe)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(exe, digest); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(exe, []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Verify(exe, digest); !errors.Is(err, ErrDigest) {
		t.Errorf("a changed executable: %v", err)
	}
}
