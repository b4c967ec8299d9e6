package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
)

// program puts a program into a folder of its own, which becomes the PATH.
func program(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/nowhere:"+dir)
	return path
}

// What lab init writes is valid and can be planned, whatever the service is
// called and however its arguments are written.
func TestLabInit(t *testing.T) {
	path := program(t, "My_Server.sh")
	dir := filepath.Join(t.TempDir(), "drills")
	out, _, err := command(t, "lab", "init", dir, "--replicas", "5", "--port", "8080", "--ready", "/healthz", "--", "My_Server.sh", "--bind", "${ip}", `a "b": #c`)
	if err != nil || !strings.Contains(out, "5 replicas of my-server-sh") {
		t.Fatalf("%s %v", out, err)
	}
	// Test folders are mostly below /tmp, which lab hosts have for themselves.
	i, err := os.Lstat(filepath.Join(dir, "services/My_Server.sh"))
	if err != nil || i.Mode().IsRegular() != lab.Hides(path) || strings.Contains(out, "was copied to") != lab.Hides(path) {
		t.Errorf("program %s: %v, %s", path, err, out)
	}
	files, _ := filepath.Glob(dir + "/*-*.yaml")
	if len(files) < 4 {
		t.Fatalf("%d experiments", len(files))
	}
	for _, f := range files {
		if out, _, err := command(t, "plan", f); err != nil || !strings.Contains(out, "STAGE") {
			t.Errorf("plan %s: %s %v", f, out, err)
		}
		if got := servicesFor(f); got != filepath.Join(dir, "services") {
			t.Errorf("services of %s: %s", f, got)
		}
	}
	if _, code, err := command(t, "lab", "init", dir, "--port", "1", "--", "My_Server.sh"); code != exitUsage || !strings.Contains(err.Error(), "it exists") {
		t.Errorf("again: %d %v", code, err)
	}
}

// A service without a path to ask is ready when it takes a connection.
func TestLabInitWithoutReady(t *testing.T) {
	program(t, "store")
	dir := filepath.Join(t.TempDir(), "drills")
	if out, _, err := command(t, "lab", "init", dir, "--port", "6379", "--", "store"); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	if out, _, err := command(t, "validate", filepath.Join(dir, "rack-power-loss.yaml")); err != nil {
		t.Errorf("%s %v", out, err)
	}
}

// Wrong command lines say what would be right, and write nothing.
func TestLabInitRefuses(t *testing.T) {
	program(t, "serve")
	dir := filepath.Join(t.TempDir(), "drills")
	for line, want := range map[string]string{
		dir + " --port 80":                       "give the service's command after --",
		dir + " --port 80 --":                    "give the service's command after --",
		dir + " more --port 80 -- serve":         "2 folders given",
		dir + " -- serve":                        "0 is not a port from 1 to 65535",
		dir + " --port 80 -- serv":               "find command serv: no such program (/nowhere/serv, ",
		dir + " --port 80 --replicas 1 -- serve": "1 is not from 2 to 30",
		dir + " --port 80 --ready x -- serve":    `"x" is not a path such as /healthz`,
		dir + " --port 80 --name A -- serve":     `"A" is not a name`,
	} {
		out, code, err := command(t, append([]string{"lab", "init"}, strings.Fields(line)...)...)
		if code != exitUsage || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: code %d, %v\n%s", line, code, err, out)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Fatalf("%s: it wrote", line)
		}
	}
}
