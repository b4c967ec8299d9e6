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

// In a real browser the page's own scripts run under its policy and draw one
// curve a layout. The twin, in which the policy names other scripts, must draw
// none: the policy is really in force.
func TestHTMLInChromium(t *testing.T) {
	need.Check(t, need.Chromium)
	html := page(t, fixture(t))
	if dom := render(t, html); strings.Count(dom, "<canvas") != 2 || !strings.Contains(dom, "point at the curve") {
		t.Errorf("%d curves drawn, want 2", strings.Count(dom, "<canvas"))
	}
	other := strings.Replace(html, "script-src &#39;sha256-", "script-src &#39;sha256-AAAA", 1)
	if other == html {
		t.Fatal("the page has no policy to break")
	}
	if dom := render(t, other); strings.Contains(dom, "<canvas") {
		t.Error("a script that the policy does not name has run")
	}
}

// render loads the page and returns the document as the scripts left it.
func render(t *testing.T, html string) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	if err := os.WriteFile(path, []byte(html), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "dom.html"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	p, err := proc.Start(proc.Spec{Path: "/usr/bin/chromium", Stdout: out, Args: []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--virtual-time-budget=2000", "--dump-dom", "file://" + path,
	}})
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = p.Kill() })
	defer timer.Stop()
	if code, err := p.Wait(); code != 0 || err != nil {
		t.Fatalf("chromium: exit %d, %v", code, err)
	}
	dom, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(dom)
}
