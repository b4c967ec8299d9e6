package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// driven is what testdata/drive.js says about the page.
type driven struct {
	Error    string
	Canvases []int     // pixels drawn
	Map      []int     // hosts without power at 10, 40 and 100 s
	Readout  string    // at 100 s
	Moved    float64   // where an arrow key moved the cursor from 40 s
	Racks    string    // what the map says then
	Spans    []float64 // of the view: whole, +, +, -, 0, button, drag over a quarter
	Hover    float64   // where the pointer in the middle of the axis put the cursor
	Width    []int     // of the content and of the window
	Wide     []string  // what reaches beyond the window
	Open     []int     // the same with everything unfolded
	Axe      []string
	Twin     int // violations of a button without a name
	Dark     bool
}

// In a real browser the page's scripts run under its policy, draw every curve,
// follow one cursor, and leave nothing that axe-core objects to: on a wide screen
// in light, on a phone in dark.
func TestPageInChromium(t *testing.T) {
	for name, c := range map[string]struct {
		scheme string
		width  int
	}{"desktop": {light, 1200}, "phone": {dark, 360}} {
		t.Run(name, func(t *testing.T) {
			got := drive(t, page(t, wide(t)), c.scheme, c.width)
			if len(got.Canvases) != 9 || slices.Min(got.Canvases) < 1000 {
				t.Errorf("pixels drawn: %v, want 9 curves", got.Canvases)
			}
			if !slices.Equal(got.Map, []int{3, 10, 0}) || !strings.Contains(got.Readout, "wall 100.0 s · incident ~T+6720m (20 Oct 07:19)") {
				t.Errorf("the slider moved the map to %v, and the read-out says %q", got.Map, got.Readout)
			}
			if got.Moved <= 40 || !strings.Contains(got.Racks, fmt.Sprintf("wall %.1f s", got.Moved)) {
				t.Errorf("an arrow key moved the cursor from 40 to %v, the map says %q", got.Moved, got.Racks)
			}
			s := got.Spans
			if len(s) != 7 || s[1] > 0.6*s[0] || s[2] > 0.6*s[1] || s[3] < 1.9*s[2] || s[4] != s[0] || s[5] > 0.6*s[0] || s[6] < 0.2*s[0] || s[6] > 0.3*s[0] {
				t.Errorf("keys, button and drag zoomed to %v", s)
			}
			if got.Hover < 50 || got.Hover > 51.5 {
				t.Errorf("pointing at the middle of the axis is at %v s", got.Hover)
			}
			if got.Width[0] > got.Width[1] || got.Open[0] > got.Open[1] || got.Width[1] != c.width {
				t.Errorf("content and window are %v wide, unfolded %v, want %d without scrolling; too wide:\n%s", got.Width, got.Open, c.width, strings.Join(got.Wide, "\n"))
			}
			if len(got.Axe) > 0 || got.Twin == 0 {
				t.Errorf("axe-core: %d for a button without a name, and\n%s", got.Twin, strings.Join(got.Axe, "\n"))
			}
			if got.Dark != (c.scheme == dark) {
				t.Errorf("dark is %v", got.Dark)
			}
		})
	}
}

// The policy is really in force: where it names other scripts, none runs.
func TestPolicyInChromium(t *testing.T) {
	src := page(t, fixture(t))
	other := strings.Replace(src, "script-src &#39;sha256-", "script-src &#39;sha256-AAAA", 1)
	if other == src {
		t.Fatal("the page has no policy to break")
	}
	dom, console := chromium(t, write(t, t.TempDir(), "report.html", other), "--dump-dom")
	if strings.Contains(dom, "<canvas") || !strings.Contains(console, "Content Security Policy") {
		t.Errorf("a script that the policy does not name has run; console: %q", console)
	}
}

// drive opens the page in a frame of that width, together with axe-core and the
// driver, which the test's copy of the policy allows.
func drive(t *testing.T, src, scheme string, width int) driven {
	t.Helper()
	const heads = "script-src "
	scripts := ""
	for _, path := range []string{filepath.Join("testdata", "axe", "axe.min.js"), filepath.Join("testdata", "drive.js")} {
		text := read(t, path)
		sum := sha256.Sum256([]byte(text))
		src = strings.Replace(src, heads, heads+"&#39;sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"&#39; ", 1)
		scripts += "<script>" + text + "</script>"
	}
	dir := t.TempDir()
	write(t, dir, "report.html", strings.Replace(src, "</body>", scripts+"</body>", 1))
	url := write(t, dir, "frame.html", fmt.Sprintf(`<!doctype html><pre id="said"></pre><script>addEventListener("message", (e) => { document.getElementById("said").textContent = e.data; })</script><iframe style="border:0;width:%dpx;height:900px" src="report.html"></iframe>`, width))
	dom, console := chromium(t, url, "--dump-dom", scheme, "--window-size=1400,1000")
	if console != "" {
		t.Errorf("the console says:\n%s", console)
	}
	_, rest, _ := strings.Cut(dom, `<pre id="said">`)
	said, _, _ := strings.Cut(rest, "</pre>")
	var got driven
	if err := json.Unmarshal([]byte(html.UnescapeString(said)), &got); err != nil || got.Error != "" {
		t.Fatalf("the driver said %q: %v", said, err)
	}
	return got
}
