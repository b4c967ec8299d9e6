package report_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

var tags = regexp.MustCompile(`<[^>]*>|\s+`)

// words is a part of the page as it reads without style and script.
func words(src, from, to string) string {
	_, rest, _ := strings.Cut(src, from)
	part, _, _ := strings.Cut(rest, to)
	return strings.Join(strings.Fields(html.UnescapeString(tags.ReplaceAllString(part, " "))), " ")
}

// The picture says in words what its bars show, each clock by its own name.
func TestPictureReadsWithoutColour(t *testing.T) {
	got := words(page(t, wide(t)), `<table class="picture">`, "</table>")
	for _, want := range []string{
		"in all as-it-was 10 waited for power or people 1 held tools-everywhere 1 dark to the end 1 waited for power or people 7 back alone 2 held",
		"text messages text as-it-was 10 h 8 min own 550 ms (measured) limit: at most 20 min tools-everywhere waited for nothing own 7.3 s (measured) stretched waited for nothing own 7.3 s (measured) really happened 10 h 4 min",
		"dark to the end from T+93m4s", "the bank's core bank as-it-was held 100% answered",
		"What was lost talk numbered writes as-it-was none lost of 1,277 acknowledged tools-everywhere 12 lost for good of 1,677 acknowledged 19 more only on another site's disk",
		"320 of 400 people at the rival at once", "20 min 10 h",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the picture does not say %q:\n%s", want, got)
		}
	}
}

// A longer wait has a longer bar, and what software took has none.
func TestPictureBars(t *testing.T) {
	src := page(t, wide(t))
	_, rest, _ := strings.Cut(src, `<tr class="sum">`)
	rows := strings.Split(rest, "<tr>")
	bar := regexp.MustCompile(`<i class="(waited|lost|real)" style="width:([0-9.]+)%"`)
	text, channel := bar.FindAllStringSubmatch(rows[1], -1), bar.FindAllStringSubmatch(rows[8], -1)
	if len(text) != 2 || text[0][1] != "waited" || text[1][1] != "real" {
		t.Fatalf("text has the bars %v, want one waited and what really happened", text)
	}
	if len(channel) != 2 || channel[0][2] <= text[0][2] {
		t.Errorf("the wait for channel is %v, for text %v", channel, text)
	}
}

// What a reader must know first stands above the figures, once for all layouts
// that share it.
func TestNotes(t *testing.T) {
	got := words(page(t, wide(t)), `<section class="notes"`, "</section>")
	for _, want := range []string{
		"as-it-was, tools-everywhere, stretched: faults that did not take effect as asked : memory on a2 (survivors-starved): not in force",
		"stretched: not left as found : c2 qdisc on eth0", "stretched: hosts whose agent did not answer : g6",
		"stretched: faults that were not injected : survivors-starved/memory on c2", "stretched: can be judged neither way : text.own",
		"changes on the hosts that are not ours : b1 route",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the notes do not say %q:\n%s", want, got)
		}
	}
	if quiet := page(t, fixture(t)); strings.Contains(quiet, `class="notes"`) {
		t.Error("a run with nothing to note has notes")
	}
}

// Without its script the page shows the racks at the worst moment.
func TestMapWithoutScript(t *testing.T) {
	run := wide(t)
	run.Layouts = run.Layouts[2:]
	got := words(page(t, run), `<h3>Racks`, "<h3>Stages")
	for _, want := range []string{"at the worst moment, 30.5 s (~T+104m)", "p1 no power", "p10 no power", "a1 on", "g6 no agent", "pangyo-2 p4"} {
		if !strings.Contains(got, want) {
			t.Errorf("the map does not say %q:\n%s", want, got)
		}
	}
	if strings.Count(got, " no power") != 11 { // and once in the key
		t.Errorf("%d hosts without power, want 10", strings.Count(got, " no power")-1)
	}
}

// Stages and steps that would cover each other stand below each other, and the
// share of hosts under a fault is its height.
func TestLanes(t *testing.T) {
	run := wide(t)
	run.Layouts = run.Layouts[:1]
	src := html.UnescapeString(page(t, run))
	for _, want := range []string{`--row:1" title="tools-lost at T+94m">5</i>`, `powerloss on p7, p9, 67.5 s to 84.5 s`, `height:29%`, `class="gated"`, `clients late, 50.2 s to 51.3 s`} {
		if !strings.Contains(src, want) {
			t.Errorf("no %q on the axis", want)
		}
	}
}

// A note of a stage and the output of a step that went wrong are shown.
func TestLegends(t *testing.T) {
	got := words(page(t, wide(t)), `<div class="legends">`, "<details>")
	for _, want := range []string{"grey-zone T+4m, wall 2.3 s People phone; nobody evacuates", "open-subscribers T+5741m, wall 98.0 s went wrong: door not reached"} {
		if !strings.Contains(got, want) {
			t.Errorf("the legends do not say %q:\n%s", want, got)
		}
	}
	page(t, &report.Run{Layouts: []report.Layout{{Name: "bare", Loads: []report.Load{{Name: "nobody"}}, Hosts: []report.Host{{Name: "h"}}}}})
}
