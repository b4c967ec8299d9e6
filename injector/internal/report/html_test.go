package report_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

func page(t *testing.T, run *report.Run) string {
	t.Helper()
	out, err := report.HTML(run)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The page needs nothing from anywhere: no address is loaded, and what the run
// says is on it.
func TestHTMLIsSelfContained(t *testing.T) {
	html := page(t, fixture(t))
	if dir := os.Getenv("FIREDRILL_PAGES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "report.html"), []byte(html), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, loads := range []string{"<link", "src=", "@import", "url(", "fetch(", "XMLHttpRequest"} {
		if strings.Contains(html, loads) {
			t.Errorf("the page has %q: it may load something", loads)
		}
	}
	for _, want := range []string{"10 h 8 min", "promote-standby", "injector run experiments/datacenter-fire", "default-src &#39;none&#39;", "replayed, incident time", "measured, wall time"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// Whatever a name, a reason or an output says, it stays text.
func TestHTMLEscapes(t *testing.T) {
	const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>`
	src, err := report.JSON(fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"promote-standby", "stretched", "p1", "talk", "building-cut", "exercised"} {
		src = bytes.ReplaceAll(src, []byte(`"`+word+`"`), []byte(`"`+strings.ReplaceAll(evil, `"`, `\"`)+`"`))
	}
	run, err := report.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	run.Title, run.Command, run.Reason = evil, evil, evil
	html := page(t, run)
	if strings.Contains(html, "<img") || strings.Contains(html, "<script>alert") {
		t.Error("something in the run became markup")
	}
	if got := strings.Count(html, "<script"); got != 3 {
		t.Errorf("%d scripts on the page, want 3", got)
	}
}

// A run that was refused, and layouts that measured nothing, still make a page.
func TestHTMLOfLittle(t *testing.T) {
	html := page(t, &report.Run{Experiment: "fire", Outcome: report.RefusedRun, Reason: "agent p1 does not answer"})
	if !strings.Contains(html, "agent p1 does not answer") {
		t.Error("the page does not say why the run was refused")
	}
	page(t, &report.Run{Experiment: "fire", Layouts: []report.Layout{{Name: "bare"}}})
}
