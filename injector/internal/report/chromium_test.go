package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// The schemes of prefers-color-scheme.
const (
	light = "--blink-settings=preferredColorScheme=1"
	dark  = "--blink-settings=preferredColorScheme=0"
)

// chromium opens a page without network and returns what it wrote to standard
// output and what its console said.
func chromium(t *testing.T, url string, args ...string) (out, console string) {
	t.Helper()
	need.Check(t, need.Chromium)
	dir := t.TempDir()
	stdout, stderr := create(t, dir, "out"), create(t, dir, "err")
	p, err := proc.Start(proc.Spec{Path: "/usr/bin/chromium", Stdout: stdout, Stderr: stderr, Args: append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--virtual-time-budget=3000",
	}, append(args, url)...)})
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(2*time.Minute, func() { _ = p.Kill() })
	defer timer.Stop()
	if code, err := p.Wait(); code != 0 || err != nil {
		t.Fatalf("chromium: exit %d, %v\n%s", code, err, read(t, stderr.Name()))
	}
	for _, line := range strings.Split(read(t, stderr.Name()), "\n") {
		if strings.Contains(line, "CONSOLE") {
			console += line + "\n"
		}
	}
	return read(t, stdout.Name()), console
}

func create(t *testing.T, dir, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// write puts a page into a folder and returns its address.
func write(t *testing.T, dir, name, html string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(html), 0o644); err != nil {
		t.Fatal(err)
	}
	return "file://" + path
}
