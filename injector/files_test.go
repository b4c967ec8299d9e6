package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// command runs one command line and returns what it printed and its exit code.
func command(t *testing.T, args ...string) (out string, code int, err error) {
	t.Helper()
	root := newRootCommand()
	var b bytes.Buffer
	root.SetOut(&b)
	root.SetErr(&b)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		code = coded.Code
	case err != nil:
		code = exitUsage
	}
	return b.String(), code, err
}

// What init writes is valid as it stands, is planned the same each time, and is
// not overwritten.
func TestInitWorks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "drill")
	if out, _, err := command(t, "init", dir); err != nil || !strings.Contains(out, "injector run "+dir+" --lab") {
		t.Fatalf("%s %v", out, err)
	}
	if out, _, err := command(t, "validate", dir); err != nil || !strings.Contains(out, "is valid; it can be planned for small") {
		t.Fatalf("%s %v", out, err)
	}
	one, _, err := command(t, "plan", dir)
	if err != nil || !strings.Contains(one, "powerloss on n1 until T+8s") {
		t.Fatalf("%s %v", one, err)
	}
	if two, _, _ := command(t, "plan", dir); one != two {
		t.Errorf("the second plan differs:\n%s", two)
	}
	if _, code, err := command(t, "init", dir); code != exitUsage || !strings.Contains(err.Error(), "it exists") {
		t.Errorf("second init: code %d, %v", code, err)
	}
}

// The committed experiment of the fire is valid, and its plan stays readable by
// programs.
func TestFireIsValid(t *testing.T) {
	out, _, err := command(t, "plan", "--json", "../experiments/datacenter-fire", "--layout", "stretched")
	if err != nil {
		t.Fatal(err)
	}
	var plans []struct {
		Digest string
		Plan   struct {
			Layout     string
			Injections []struct{ ID, From string }
		}
	}
	if err := json.Unmarshal([]byte(out), &plans); err != nil {
		t.Fatal(err)
	}
	if len(plans) != 1 || plans[0].Plan.Layout != "stretched" || len(plans[0].Digest) != 64 || len(plans[0].Plan.Injections) == 0 {
		t.Errorf("got %+v", plans)
	}
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := command(t, "init", dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "experiment.yaml")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		old, new string
		args     []string
		code     int
		says     string
	}{
		{"", "", []string{"plan", dir, "--layout", "smal"}, exitInvalid, "did you mean small?"},
		{"", "", []string{"plan", dir, "--var", "x=1"}, exitInvalid, "names no variable"},
		{"", "", []string{"plan", dir, "--var", "x"}, exitUsage, "name=value"},
		{"", "", []string{"validate", filepath.Join(dir, "none.yaml")}, exitInvalid, "no such file"},
		{"", "", []string{"plan"}, exitUsage, "usage: injector plan FILE|FOLDER"},
		{"", "", []string{"plan", dir, "--lay"}, exitUsage, "see injector plan --help"},
		{"", "", []string{"run", dir, "--lab", "--out", path}, exitUsage, "--out"},
		{"", "", []string{"lab", "exec", "n1"}, exitUsage, "usage: injector lab exec HOST"},
		{"lab.yaml", "lob.yaml", []string{"plan", dir}, exitInvalid, path + ":11:"},
		{"every: 50ms", "evry: 50ms", []string{"validate", dir}, exitInvalid, "did you mean every?"},
		{"lab.yaml", "lob.yaml", []string{"validate", dir}, exitInvalid, "no such file"},
		{"powerloss: {}", "powerlos: {}", []string{"validate", dir}, exitInvalid, "did you mean powerloss?"},
		{"{power: ups-1}", "{power: ups-9}", []string{"plan", dir}, exitInvalid, path + ":31:29: plan "},
		{"{power: ups-1}", "{site: internet}", []string{"plan", dir}, exitInvalid, "picks no host"},
		{"limits: {hosts: 1}", "limits: {sites: [south]}", []string{"plan", dir}, exitRefused, "site north is not among"},
		{"limits:", "runbook: [{at: T+9s, step: call-them}]\nlimits:", []string{"plan", dir}, exitInvalid, `no layout has a step "call-them"`},
	} {
		changed := strings.Replace(string(good), c.old, c.new, 1)
		if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		_, code, err := command(t, c.args...)
		if code != c.code || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v with %q: code %d, %v; want %d, %q", c.args, c.new, code, err, c.code, c.says)
		}
	}
}
