package report_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// Whatever a name, a reason or an output says, it stays text: here every single
// text of a run is hostile.
func TestHTMLEscapes(t *testing.T) {
	src, err := report.JSON(wide(t))
	if err != nil {
		t.Fatal(err)
	}
	var run any
	if err := json.Unmarshal(src, &run); err != nil {
		t.Fatal(err)
	}
	if src, err = json.Marshal(poison(run)); err != nil {
		t.Fatal(err)
	}
	bad, err := report.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	html := page(t, bad)
	body, data, _ := strings.Cut(html, `id="charts">`)
	if strings.Contains(data, "<img") || strings.Contains(html, "<script>alert") || strings.Contains(body, "<img") || strings.Contains(body, `" autofocus`) {
		t.Error("something in the run became markup")
	}
	if got := strings.Count(html, "<script"); got != 3 {
		t.Errorf("%d scripts on the page, want 3", got)
	}
	if strings.Count(html, "alert(1)") < 500 {
		t.Error("the run was not hostile")
	}
}

const evil = `</script><script>alert(1)</script>" autofocus onfocus="alert(3)"><img src=x onerror=alert(2)>`

// poison puts the hostile text behind every text but the moments. Behind, so that
// texts that must differ still do.
func poison(v any) any {
	switch v := v.(type) {
	case string:
		if _, err := time.Parse(time.RFC3339, v); err == nil {
			return v
		}
		return v + evil
	case []any:
		for i := range v {
			v[i] = poison(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = poison(v[k])
		}
	}
	return v
}

// A run that was refused, and layouts that measured nothing, still make a page.
func TestHTMLOfLittle(t *testing.T) {
	html := page(t, &report.Run{Experiment: "fire", Outcome: report.RefusedRun, Reason: "agent p1 does not answer"})
	if !strings.Contains(html, "agent p1 does not answer") {
		t.Error("the page does not say why the run was refused")
	}
	page(t, &report.Run{Experiment: "fire", Layouts: []report.Layout{{Name: "bare"}}})
}
