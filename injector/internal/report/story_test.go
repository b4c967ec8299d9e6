package report_test

import (
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// The story says what the data say, and only that.
func TestStoryFollowsTheData(t *testing.T) {
	one := func(run *report.Run) *report.Layout { return &run.Layouts[0] }
	wrong := false
	for name, c := range map[string]struct {
		change func(*report.Run)
		says   string
		not    string
	}{
		"both parts":       {func(*report.Run) {}, "waited 10 h 8 min of the incident for power back at p3, p4 and step promote-standby and then was back after 1.3 s", "never came back"},
		"never back":       {func(r *report.Run) { one(r).Probes[0].Outages[0].OwnWallS = nil }, "and never came back", "then was back"},
		"no outage":        {func(r *report.Run) { one(r).Probes[0].Outages = nil }, "In as-it-was there was no outage of a second or more", "waited 10 h"},
		"one layout":       {func(r *report.Run) { r.Layouts = r.Layouts[:1] }, "Layout as-it-was went through 2 stages", "stretched"},
		"lost":             {func(r *report.Run) { one(r).Ledgers[0].Lost = 368 }, "As-it-was acknowledged 312 talk writes and lost 368", "as-it-was lost none"},
		"not accounted":    {func(r *report.Run) { one(r).Ledgers[0].Unaccounted = 9 }, "9 not accounted for because a disk could not be read", ""},
		"no ledger":        {func(r *report.Run) { r.Layouts[0].Ledgers, r.Layouts[1].Ledgers = nil, nil }, "nothing is known of lost data", "lost none"},
		"nothing to match": {func(r *report.Run) { r.Layouts[0].Compare, r.Layouts[1].Compare = nil, nil }, "Nothing was compared", "10 h 4 min"},
		"not predicted":    {func(r *report.Run) { r.AsPredicted = &wrong }, "not what was predicted", ""},
		"residue":          {func(r *report.Run) { r.HostState = report.Residue }, "some hosts were not left as they were found", "every host was left"},
		"late":             {func(r *report.Run) { r.Layouts[1].Probes[0].Outages[0].UnsureBeforeS = 3 }, "6.1 s (at most 9.1 s: clients were late)", ""},
		"refused":          {func(r *report.Run) { r.Layouts, r.Outcome, r.Reason = nil, report.RefusedRun, "no root" }, "The run was refused: no root.", "stages"},
		"refused layout":   {func(r *report.Run) { r.Layouts, r.Outcome, r.Reason = r.Layouts[:1], report.RefusedRun, "no root" }, "The run was refused: no root.", "went through"},
	} {
		t.Run(name, func(t *testing.T) {
			run := fixture(t)
			c.change(run)
			html := page(t, run)
			story := html[strings.Index(html, `<section class="story"`):]
			story = strings.ReplaceAll(story[:strings.Index(story, "</section>")], "&#39;", "'")
			if !strings.Contains(story, c.says) || c.not != "" && strings.Contains(story, c.not) {
				t.Errorf("want %q and not %q in:\n%s", c.says, c.not, story)
			}
		})
	}
}

// No fact of a real incident stands in the code: with other data there is none.
func TestStoryHasNoFactsOfItsOwn(t *testing.T) {
	html := page(t, &report.Run{Experiment: "drill", Title: "A drill", Layouts: []report.Layout{{Name: "only", Verdict: report.Held}}})
	for _, word := range []string{"Kakao", "Pangyo", "2022", "fire", "text"} {
		body := html[strings.Index(html, "<header>"):strings.Index(html, "<footer>")]
		if strings.Contains(strings.ReplaceAll(body, "Firedrill", ""), word) {
			t.Errorf("the page of another run says %q", word)
		}
	}
}
