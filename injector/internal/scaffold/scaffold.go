// Package scaffold begins a fault in a copy of the repository: a folder of its
// own with a small fault that works and its tests, and one line in the list of
// built-in faults.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed template/*.tmpl
var templates embed.FS

// module is the first line of the go.mod of a repository that faults are added to.
const module = "module github.com/firedrill-io/firedrill\n"

// list is the file that gets the line.
var list = filepath.Join("hostagent", "builtin.go")

// ErrName says that a name does not do for a fault.
var ErrName = errors.New("bad name for a fault")

var form = regexp.MustCompile(`^[a-z][a-z0-9]{1,23}$`)

// taken are names that mean something else: folders beside the faults, and the
// keys that stand beside a fault in an experiment file.
var taken = []string{"fault", "faulttest", "internal", "examples", "plugins", "main", "init", "on", "until", "for", "restore", "require", "optional"}

// CheckName says why name does not do for a fault, as folder, package, kind and
// key of an experiment file at once.
func CheckName(name string) error {
	switch {
	case !form.MatchString(name):
		return fmt.Errorf("%w: %q; use 2 to 24 of a-z and 0-9, a letter first", ErrName, name)
	case token.IsKeyword(name), slices.Contains(taken, name):
		return fmt.Errorf("%w: %q means something else already; choose another", ErrName, name)
	}
	return nil
}

// Find returns the root of the repository that the folder dir is in.
func Find(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find repository: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		b, err := os.ReadFile(filepath.Join(at, "go.mod"))
		if err == nil && strings.HasPrefix(string(b), module) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("find repository: %s is not inside a copy of Firedrill's source; clone it and go there, or name it with --repo", dir)
		}
	}
}

// New begins the fault name in the repository at root and returns the files it
// wrote and the one it added a line to. It overwrites nothing; after an error
// the repository is as before.
func New(root, name string) (wrote []string, edited string, err error) {
	if err := CheckName(name); err != nil {
		return nil, "", err
	}
	folder := filepath.Join(root, "plugins", name)
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("%w: %s is there already; choose another", ErrName, folder)
	}
	path := filepath.Join(root, list)
	before, err := os.ReadFile(path)
	if err != nil {
		return nil, "", fmt.Errorf("read list of faults: %w", err)
	}
	after, err := addLine(string(before), name)
	if err != nil {
		return nil, "", err
	}
	if wrote, err = fill(folder, name); err == nil {
		err = os.WriteFile(path, []byte(after), 0o644)
	}
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("begin fault %s: %w", name, err), os.RemoveAll(folder))
	}
	return wrote, path, nil
}

// addLine adds the fault to the list where the order of names wants it.
func addLine(text, name string) (string, error) {
	const before, after = "\t_ \"github.com/firedrill-io/firedrill/plugins/", "\"\n"
	line := before + name + after
	at := -1
	for offset := 0; offset < len(text); {
		next := offset + strings.IndexByte(text[offset:], '\n') + 1
		if next == offset {
			break
		}
		if l := text[offset:next]; strings.HasPrefix(l, before) {
			if l == line {
				return "", fmt.Errorf("%w: %s has a line for %q already", ErrName, list, name)
			}
			if l < line {
				at = next
			} else if at < 0 {
				at = offset
			}
		}
		offset = next
	}
	if at < 0 {
		return "", fmt.Errorf("read list of faults: %s has no line that begins with %q; this source is of another version than this injector", list, strings.TrimSpace(before))
	}
	return text[:at] + line + text[at:], nil
}

// fill writes the folder from the templates.
func fill(folder, name string) (wrote []string, err error) {
	t, err := template.ParseFS(templates, "template/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	for _, tmpl := range t.Templates() {
		file := strings.TrimSuffix(tmpl.Name(), ".tmpl")
		if file == "fault.go" {
			file = name + ".go"
		}
		var b bytes.Buffer
		if err := tmpl.Execute(&b, name); err != nil {
			return nil, err
		}
		path := filepath.Join(folder, file)
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			return nil, err
		}
		wrote = append(wrote, path)
	}
	slices.Sort(wrote)
	return wrote, nil
}
