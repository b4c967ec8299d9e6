package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

var (
	shotFrom = flag.String("from", "", "report.json to take screenshots of; empty: a made-up run")
	shotTo   = flag.String("to", "", "folder to write screenshots to; empty: none are taken")
)

// only leaves the first layout's axis and map on the page.
const only = "header, main > section, .layout:not(#layout-0), footer { display: none } h2 { margin-top: 0 !important }"

// Screenshots for docs/:
//
//	go test ./injector/internal/report -run Screenshots -from FILE.json -to DIR
func TestScreenshots(t *testing.T) {
	if *shotTo == "" {
		return
	}
	run := wide(t)
	if *shotFrom != "" {
		parsed, err := report.Parse([]byte(read(t, *shotFrom)))
		if err != nil {
			t.Fatal(err)
		}
		run = parsed
	}
	if err := os.MkdirAll(*shotTo, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	url := write(t, dir, "report.html", page(t, run))
	phone := write(t, dir, "phone.html", `<!doctype html><body style="margin:0"><iframe style="border:0;width:360px;height:2400px" src="report.html"></iframe>`)
	axis := write(t, dir, "axis.html", strings.Replace(page(t, run), "</style>", only+"</style>", 1))
	for _, s := range []struct {
		name, url, scheme string
		width, height     int
	}{
		{"report.png", url, light, 1200, 1750},
		{"report-dark.png", url, dark, 1200, 1750},
		{"report-axis.png", axis, light, 1200, 1650},
		{"report-phone.png", phone, light, 500, 2400},
	} {
		path, err := filepath.Abs(filepath.Join(*shotTo, s.name))
		if err != nil {
			t.Fatal(err)
		}
		chromium(t, s.url, s.scheme, "--screenshot="+path, fmt.Sprintf("--window-size=%d,%d", s.width, s.height))
	}
}
