package live

import (
	"fmt"
	"html"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// docs/live.svg is the picture of the recorded run while the store elects.
func TestDocs(t *testing.T) {
	const path, columns, rows = "../../../docs/live.svg", 100, 30
	var s state
	now, boot := play(t, &s, 33*time.Second)
	got := svg(frame{look: look{true}, s: &s, now: now, boot: boot, columns: columns, rows: rows}.draw(), columns, rows)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale, -update writes it:\n%s", path, diff)
	}
}

// The colours of a dark terminal, by their number in SGR.
var palette = map[string]string{"30": "#111318", "31": "#f2777a", "32": "#8fd18f", "33": "#ffcc66", "35": "#d69ad6", "36": "#7fd1d1", "90": "#9aa0a6", "97": "#ffffff",
	"41": "#b3261e", "42": "#4f9d4f", "43": "#c9971c", "45": "#8e3b8e"}

// Sizes of a cell in the picture.
const cellW, cellH = 8.4, 17.0

// svg draws what a terminal would show.
func svg(picture string, columns, rows int) string {
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 %.0f %.0f" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14">
<title>The live view of a run of the data-centre fire</title>
<rect width="100%%" height="100%%" rx="8" fill="#16181d"/>
`, float64(columns)*cellW+20, float64(rows)*cellH+20)
	for row, text := range strings.Split(picture, "\n") {
		column := 0
		for part := range strings.SplitSeq("m"+text, "\x1b[") {
			codes, words, _ := strings.Cut(part, "m")
			column += run(&out, words, codes, column, row)
		}
	}
	return out.String() + "</svg>\n"
}

// run draws one stretch of one style and returns its width.
func run(out *strings.Builder, words, codes string, column, row int) int {
	fill, weight, n := "#e6e6e6", "", width(words)
	x, y := 10+float64(column)*cellW, 10+float64(row)*cellH
	for code := range strings.SplitSeq(codes, ";") {
		switch {
		case code == "1":
			weight = ` font-weight="bold"`
		case strings.HasPrefix(code, "4") && palette[code] != "":
			fmt.Fprintf(out, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, float64(n)*cellW, cellH, palette[code])
		case palette[code] != "":
			fill = palette[code]
		}
	}
	if strings.TrimSpace(words) != "" {
		fmt.Fprintf(out, `<text x="%.1f" y="%.1f" fill="%s"%s textLength="%.1f" xml:space="preserve">%s</text>`+"\n",
			x, y+13, fill, weight, float64(n)*cellW, html.EscapeString(words))
	}
	return n
}
