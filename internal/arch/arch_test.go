package arch

import (
	"encoding/json"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/firedrill-io/firedrill"

// pkg is what go list says of one package.
type pkg struct {
	ImportPath, Name, Doc              string
	Imports, TestImports, XTestImports []string
}

func list(t *testing.T, dir string) (out []pkg) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = dir
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("list packages of %s: %v", dir, err)
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	for dec.More() {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func matches(pattern, name string) bool {
	if base, ok := strings.CutSuffix(pattern, "/v2/*"); ok {
		return strings.HasPrefix(name, base+"/v2/")
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

func anyMatch(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

func ruleOf(name string) (Rule, bool) {
	for _, r := range Rules {
		if matches(r.Pattern, name) {
			return r, true
		}
	}
	return Rule{}, false
}

// Every package is in the table, has a comment, and imports only what its row
// allows.
func TestShape(t *testing.T) {
	for _, p := range list(t, "../..") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		rule, ok := ruleOf(name)
		if !ok {
			t.Errorf("%s: new package; say in table.go what it may import, and why", name)
			continue
		}
		if p.Doc == "" && !strings.HasSuffix(name, "pb") {
			t.Errorf("%s: no package comment", name)
		}
		for _, imp := range p.Imports {
			check(t, name, imp, rule.May, rule.Why)
		}
		for _, imp := range append(p.TestImports, p.XTestImports...) {
			check(t, name, imp, append(append([]string{name}, rule.May...), TestMay...), rule.Why)
		}
		outside(t, name, p.Imports)
	}
}

func check(t *testing.T, name, imp string, may []string, why string) {
	t.Helper()
	if in, ours := strings.CutPrefix(imp, module+"/"); ours && !anyMatch(may, in) {
		t.Errorf("%s must not import %s: %s", name, in, why)
	}
}

func outside(t *testing.T, name string, imports []string) {
	t.Helper()
	for _, imp := range imports {
		for _, f := range Forbidden {
			if matches(f.Pattern, imp) && !anyMatch(f.May, name) {
				t.Errorf("%s must not import %s: %s", name, imp, f.Why)
			}
		}
		if imp == module+"/internal/proc" && Starters[name] == "" {
			t.Errorf("%s imports internal/proc and is not in Starters: say what it starts", name)
		}
	}
}

// The services under test are strangers to us: they import nothing of ours.
func TestServicesImportNothingOfOurs(t *testing.T) {
	const own = module + "/experiments/datacenter-fire/superapp"
	for _, p := range list(t, "../../experiments/datacenter-fire/superapp") {
		for _, imp := range append(append(p.Imports, p.TestImports...), p.XTestImports...) {
			if strings.HasPrefix(imp, module) && !strings.HasPrefix(imp, own) {
				t.Errorf("%s must not import %s", p.ImportPath, imp)
			}
		}
	}
}

// The table has no row that nothing matches, so that it stays the truth.
func TestNoRowIsStale(t *testing.T) {
	used := map[string]bool{}
	for _, p := range list(t, "../..") {
		r, _ := ruleOf(strings.TrimPrefix(p.ImportPath, module+"/"))
		used[r.Pattern] = true
	}
	for _, r := range Rules {
		if !used[r.Pattern] {
			t.Errorf("row %s matches no package", r.Pattern)
		}
	}
}
