// Package pluginfolder reads the folder in which a host keeps fault plugins
// that are not built in: one folder a kind with the executable and a manifest
// that pins its digest. Whatever does not hold is refused by name; nothing is
// started here.
package pluginfolder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// ManifestName is the manifest's file in the folder of a plugin.
const ManifestName = "manifest.json"

// Manifest says which executable a plugin is, and what it may.
type Manifest struct {
	Executable string `json:"executable"` // file name in the same folder
	SHA256     string `json:"sha256"`     // of the executable, 64 hexadecimal digits
	// Contracts are the versions of the fault contract that the plugin speaks.
	Contracts []int `json:"contracts"`
	// Capabilities are those that it is started with, by the names of
	// capabilities(7); it has no others.
	Capabilities []string `json:"capabilities"`
	// Info is what the plugin says of itself.
	Info fault.Info `json:"info"`
}

// Program is an executable that its manifest vouches for.
type Program struct {
	Manifest
	Path     string // absolute
	Contract int    // the newest version that both sides speak
}

// ErrDigest says that an executable is not the one that was pinned.
var ErrDigest = errors.New("another executable than the one pinned")

// Read reads the folder dir. Every folder in it is a plugin. The paths must
// belong to root and be writable for nobody else.
func Read(dir string) (map[fault.Kind]Program, error) { return read(dir, 0) }

// List is Read for those who only want to know: they need not trust the owner.
func List(dir string) (map[fault.Kind]Program, error) { return read(dir, -1) }

func read(dir string, owner int) (map[fault.Kind]Program, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("read plugin folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read plugin folder: %w", err)
	}
	programs, errs := map[fault.Kind]Program{}, []error(nil)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		p, err := one(filepath.Join(dir, e.Name()), owner)
		if err != nil {
			errs = append(errs, fmt.Errorf("plugin %s: %w", e.Name(), err))
			continue
		}
		programs[p.Info.Kind] = p
	}
	return programs, errors.Join(errs...)
}

func one(dir string, owner int) (Program, error) {
	var p Program
	manifest := filepath.Join(dir, ManifestName)
	b, err := os.ReadFile(manifest)
	if err != nil {
		return p, fmt.Errorf("read manifest: %w; write one with injector plugin manifest", err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p.Manifest); err != nil {
		return p, fmt.Errorf("read manifest %s: %w", manifest, err)
	}
	if err := p.check(filepath.Base(dir)); err != nil {
		return p, fmt.Errorf("manifest %s: %w", manifest, err)
	}
	p.Path = filepath.Join(dir, p.Executable)
	if p.Contract, err = Negotiate(p.Contracts); err != nil {
		return p, err
	}
	if owner >= 0 {
		if err := errors.Join(trusted(manifest, owner), trusted(p.Path, owner)); err != nil {
			return p, err
		}
	}
	return p, Verify(p.Path, p.SHA256)
}

// check says what is wrong with the manifest of the plugin in folder.
func (m Manifest) check(folder string) error {
	digest, err := hex.DecodeString(m.SHA256)
	switch {
	case string(m.Info.Kind) != folder || folder == "":
		return fmt.Errorf("info.kind is %q and the folder %q; give both one name", m.Info.Kind, folder)
	case m.Executable == "" || m.Executable != filepath.Base(m.Executable) || m.Executable == "..":
		return fmt.Errorf("executable is %q; give the name of a file in this folder", m.Executable)
	case err != nil || len(digest) != sha256.Size:
		return errors.New("sha256 is no SHA-256; give the 64 hexadecimal digits that sha256sum prints")
	case len(m.Info.Params) == 0 || string(m.Info.Params) == "null":
		return errors.New("info.params is missing; give the JSON Schema of the parameters")
	}
	for _, c := range m.Info.Needs.Capabilities {
		if !slices.Contains(m.Capabilities, c) {
			return fmt.Errorf("the plugin needs %s and capabilities does not grant it; add it, or do not install the plugin", c)
		}
	}
	return nil
}

// Negotiate returns the newest version of the contract that this program and
// one that speaks theirs have in common.
func Negotiate(theirs []int) (int, error) {
	best := 0
	for _, v := range theirs {
		if slices.Contains(fault.Contracts(), v) {
			best = max(best, v)
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("it speaks versions %v of the fault contract, this program %v; install a version of the plugin that fits", theirs, fault.Contracts())
	}
	return best, nil
}

// Verify says whether the executable at path has the digest; ErrDigest if not.
func Verify(path, digest string) error {
	got, err := Digest(path)
	if err == nil && got != digest {
		err = fmt.Errorf("%w: %s has SHA-256 %s, pinned is %s", ErrDigest, path, got, digest)
	}
	return err
}

// Digest is the SHA-256 of a file in hexadecimal digits.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read executable: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read executable %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// trusted refuses a path that somebody else than owner could exchange: each
// part up to / is root's or the owner's, and no other may write to it. A sticky
// folder such as /tmp lets nobody exchange what is not theirs.
func trusted(path string, owner int) error {
	for p := path; ; p = filepath.Dir(p) {
		st, err := os.Lstat(p)
		if err != nil {
			return fmt.Errorf("trust %s: %w", path, err)
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		switch {
		case !ok || int(sys.Uid) != 0 && int(sys.Uid) != owner:
			return fmt.Errorf("trust %s: %s does not belong to root; chown it", path, p)
		case st.Mode()&fs.ModeSymlink != 0:
			return fmt.Errorf("trust %s: %s is a symbolic link; give the real path", path, p)
		case st.Mode().Perm()&0o022 != 0 && st.Mode()&fs.ModeSticky == 0:
			return fmt.Errorf("trust %s: others than root may write to %s; chmod go-w it", path, p)
		case p == "/":
			return nil
		}
	}
}
