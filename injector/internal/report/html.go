package report

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed assets
var assets embed.FS

// page is what the templates see.
type page struct {
	*Run
	Story    []told
	Notes    []note
	Picture  picture
	Score    []scoreRow
	Compares bool
	Parts    []part
	// Predicted says whether all came out as predicted; empty: nothing was predicted.
	Predicted string
	Vars      []pair
	Built     []pair
	Charts    []chart
	Style     template.CSS
	Plot      template.JS
	Draw      template.JS
	Licence   string // of uPlot
	// Policy lets only the page's own two scripts run.
	Policy string
}

// part is one layout's section.
type part struct {
	Layout
	Index    int
	Timeline []moment
	Lanes    []lane
	Map      rackMap
	Axis     axis
}

type pair struct{ Name, Value string }

// HTML is report.html: one page that needs nothing but itself, neither network
// nor script to be read. Everything that comes from the run is escaped, and the
// page's own policy lets no other script run.
func HTML(run *Run) ([]byte, error) {
	t, err := template.New("page.tmpl").Funcs(template.FuncMap{
		"long":    func(s float64) string { return Long(seconds(s)) },
		"wall":    func(s float64) string { return Wall(seconds(s)) },
		"own":     func(o Outage) string { return ownText(o, 1) },
		"instant": func(s float64) string { return Instant(seconds(s)) },
		"about":   func(l Layout, wall float64) string { return l.about(wall) },
		"letter":  letter,
		"inc":     func(i int) int { return i + 1 },
		"plural":  plural,
		"percent": Percent, "count": Count, "join": func(s []string) string { return strings.Join(s, ", ") },
	}).ParseFS(assets, "assets/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("read page templates: %w", err)
	}
	p, err := newPage(run)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, fmt.Errorf("render page: %w", err)
	}
	return out.Bytes(), nil
}

func newPage(run *Run) (*page, error) {
	files := map[string]string{}
	for _, name := range []string{"uplot.js", "uplot.css", "page.css", "axis.css", "page.js", "axis.js", "uplot.LICENSE"} {
		src, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		files[name] = string(src)
	}
	draw := files["axis.js"] + files["page.js"]
	p := &page{
		Run: run, Story: story(run), Notes: notes(run), Picture: pictureOf(run), Score: scoreboard(run), Vars: pairs(run.Variables), Built: pairs(run.Versions),
		Style:   template.CSS(files["uplot.css"] + "\n" + files["page.css"] + files["axis.css"]),
		Plot:    template.JS(files["uplot.js"]),
		Draw:    template.JS(draw),
		Licence: files["uplot.LICENSE"],
		Policy:  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src " + source(files["uplot.js"]) + " " + source(draw),
	}
	for _, r := range p.Score {
		p.Compares = p.Compares || r.Happened != ""
	}
	if run.AsPredicted != nil {
		p.Predicted = map[bool]string{true: "as predicted", false: "not as predicted"}[*run.AsPredicted]
	}
	a := axisOf(run.Layouts)
	for i, l := range run.Layouts {
		p.Parts = append(p.Parts, part{Layout: l, Index: i, Timeline: timeline(l), Lanes: a.lanes(l), Map: mapOf(l), Axis: a})
		p.Charts = append(p.Charts, chartOf(l, a, run.ClockStart))
	}
	return p, nil
}

// source names a script by its content for the page's policy.
func source(script string) string {
	sum := sha256.Sum256([]byte(script))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func pairs[V any](m map[string]V) []pair {
	var out []pair
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, pair{k, fmt.Sprint(m[k])})
	}
	return out
}
