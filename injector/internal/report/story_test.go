package report_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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
		"never back": {func(r *report.Run) {
			r.Layouts = r.Layouts[:1]
			one(r).Probes[0].Outages[0].OwnWallS, one(r).Probes[0].Outages[0].ToWallS = nil, nil
		}, "1 (text) stayed dark to the end", "text was back"},
		"no outage": {func(r *report.Run) { none(one(r)) }, "In as-it-was no service went dark", "waited for people"},
		"only own":  {func(r *report.Run) { r.Layouts = r.Layouts[2:] }, "In stretched 7 of 11 services went dark: 7 (text, ", "then software"},
		"a second outage": {func(r *report.Run) {
			own := 12.5
			one(r).Probes[0].Outages = append(one(r).Probes[0].Outages, report.Outage{Gate: "none", OwnWallS: &own})
		}, "software by itself took at most 12.5 s of wall time, as measured on text", "took at most 680 ms"},
		"one layout":       {func(r *report.Run) { r.Layouts = r.Layouts[:1] }, "No other layout was run beside it", "stretched"},
		"other faults":     {func(r *report.Run) { one(r).Faults = one(r).Faults[:3] }, "3 of 31 hosts lost power in pangyo at 15:22 on 15 Oct 2022 (T+3m), in as-it-was (not alike in all layouts)", ""},
		"a plugin's fault": {func(r *report.Run) { one(r).Faults[0].Kind = "mtu" }, "had the fault mtu", ""},
		"no fault":         {func(r *report.Run) { each(r, func(l *report.Layout) { l.Faults = nil }) }, "No fault was in force on any host", "lost power"},
		"no clock":         {func(r *report.Run) { r.ClockStart = time.Time{} }, "3 in pangyo at T+3m and 7 in pangyo at T+93m", "2022"},
		"lost":             {func(r *report.Run) { one(r).Ledgers[0].Lost = 368 }, "In as-it-was 1,845 writes were acknowledged and 368 lost", "No acknowledged write was lost for good"},
		"elsewhere":        {func(r *report.Run) { one(r).Ledgers[0].Missing, one(r).Ledgers[0].Elsewhere = 4, 4 }, "and none lost (4 missing from the store in use, but on another site's disk)", ""},
		"not accounted":    {func(r *report.Run) { one(r).Ledgers[0].Unaccounted = 9 }, "9 not accounted for, as a disk could not be read", "lost for good"},
		"all answered":     {func(r *report.Run) { each(r, func(l *report.Layout) { l.Ledgers = l.Ledgers[2:] }) }, "every sender got an answer", "senders of"},
		"no ledger":        {func(r *report.Run) { each(r, func(l *report.Layout) { l.Ledgers = nil }) }, "nothing is known of lost data: in as-it-was 30 of 30 people", "none lost"},
		"no rival":         {func(r *report.Run) { each(r, func(l *report.Layout) { l.Loads = nil }) }, "No acknowledged write was lost", "rival"},
		"nothing to match": {func(r *report.Run) { each(r, func(l *report.Layout) { l.Compare = nil }) }, "left as it was found.", "in the incident itself"},
		"one to match":     {func(r *report.Run) { each(r, func(l *report.Layout) { l.Compare = l.Compare[:1] }) }, "in the incident itself text messages were away for 10 h 4 min", "as the last"},
		"not predicted": {func(r *report.Run) {
			r.AsPredicted, one(r).Predicted.Match, one(r).Predicted.Verdict = &wrong, false, report.Held
		}, "as-it-was deviated (10 expectations failed), though held was predicted, tools-everywhere deviated (4 expectations failed), as predicted", "stretched held, as predicted, as"},
		"other lines": {func(r *report.Run) { r.AsPredicted, one(r).Predicted.Match = &wrong, false }, "but other expectations failed than predicted", ""},
		"residue":     {func(r *report.Run) { r.HostState = report.Residue }, "some hosts were not left as they were found", "every host was left"},
		"halted": {func(r *report.Run) {
			one(r).Outcome, one(r).Reasons, one(r).EndS = report.Halted, []string{"halted by a person"}, 30
		}, "as-it-was deviated, halted (halted by a person)", ""},
		"halted early": {func(r *report.Run) { one(r).Outcome, one(r).EndS = report.Interrupted, 30 }, "1 h 33 min of the incident passed in 30 s", "5 d 8 h"},
		"inconclusive": {func(r *report.Run) {
			one(r).Verdict, one(r).Reasons = report.Inconclusive, []string{"the clients were late."}
		}, "as-it-was inconclusive (the clients were late)", ""},
		"late":         {func(r *report.Run) { r.Layouts[2].Probes[8].Outages[0].UnsureBeforeS = 3 }, "4.9 s of wall time, as measured on identity (at most 7.9 s: clients were late)", ""},
		"missing":      {func(r *report.Run) { one(r).Missing = []string{"p3"} }, "every host was left as it was found, 1 host took no part", ""},
		"not injected": {func(r *report.Run) { one(r).NotInjected = []string{"cpu on a1: no cgroup", "cpu on a2: no cgroup"} }, "2 optional faults could not be injected", ""},
		"nothing ran": {func(r *report.Run) {
			r.Layouts[1] = report.Layout{Name: "tools-everywhere", Outcome: report.RefusedRun}
		}, "In tools-everywhere no service was measured", ""},
		"waited and dark": {func(r *report.Run) {
			for i := range r.Layouts[1].Probes {
				if p := &r.Layouts[1].Probes[i]; p.Name == "mail" {
					p.Outages[0].OwnWallS = nil
				}
			}
		}, "(replayed) and 1 (mail) stayed dark to the end", ", while 1 (mail)"},
		"refused":         {func(r *report.Run) { r.Layouts, r.Outcome, r.Reason = nil, report.RefusedRun, "no root" }, "The run was refused: no root.", "stages"},
		"refused layout":  {func(r *report.Run) { r.Layouts, r.Outcome, r.Reason = r.Layouts[:1], report.RefusedRun, "no root" }, "The run was refused: no root.", "lost power"},
		"refused, others": {func(r *report.Run) { r.Outcome, r.Reason = report.RefusedRun, "no root" }, "10 of 31 hosts", "The run was refused"},
	} {
		t.Run(name, func(t *testing.T) {
			run := threeLayouts()
			c.change(run)
			story := strings.Join(report.Story(run), "\n")
			if !strings.Contains(story, c.says) || c.not != "" && strings.Contains(story, c.not) {
				t.Errorf("want %q and not %q in:\n%s", c.says, c.not, story)
			}
		})
	}
}

func each(run *report.Run, change func(*report.Layout)) {
	for i := range run.Layouts {
		change(&run.Layouts[i])
	}
}

func none(l *report.Layout) {
	for i := range l.Probes {
		l.Probes[i].Outages = nil
	}
}

// The stories of several runs as they are read.
func TestStoryGolden(t *testing.T) {
	var out strings.Builder
	tell := func(title string, run *report.Run) {
		fmt.Fprintf(&out, "%s\n\n%s\n\n", title, strings.Join(report.Story(run), "\n"))
	}
	tell("three layouts", threeLayouts())
	two := threeLayouts()
	two.Layouts = []report.Layout{two.Layouts[0], two.Layouts[2]}
	tell("two layouts", two)
	one := threeLayouts()
	one.Layouts = one.Layouts[2:]
	tell("one layout", one)
	tell("two services", fixture(t))
	tell("nothing in it", &report.Run{Layouts: []report.Layout{{Name: "bare"}}})
	golden(t, "story.golden.txt", []byte(out.String()))
}

// However much of a run is missing, the story has five sentences (two when it was
// refused), each one of them a sentence without holes.
func TestStoryIsAlwaysFiveSentences(t *testing.T) {
	holes := regexp.MustCompile(`NaN|Inf|%!|<nil>|\b1 (hosts|writes|services|layouts|expectations|faults)\b|  |\(\)| ,| ;|\.\.$|, ?[,;.]|[;:] ?[.;]`)
	rapid.Check(t, func(t *rapid.T) {
		run := threeLayouts()
		run.Layouts = run.Layouts[:rapid.IntRange(1, 3).Draw(t, "layouts")]
		run.Outcome = rapid.SampledFrom([]report.Outcome{report.Completed, report.Halted, report.Interrupted, report.RefusedRun, report.FailedRun}).Draw(t, "outcome")
		if rapid.Bool().Draw(t, "no clock") {
			run.ClockStart = time.Time{}
		}
		for i := range run.Layouts {
			drawLayout(t, &run.Layouts[i], run.Outcome)
		}
		story := report.Story(run)
		want := 5
		if run.Outcome == report.RefusedRun && len(run.Layouts) == 1 {
			want = 2
		}
		if len(story) != want {
			t.Fatalf("%d sentences, want %d", len(story), want)
		}
		for _, s := range story {
			if hole := holes.FindString(s); hole != "" || !strings.HasSuffix(s, ".") || len(s) < 20 || strings.Contains(s, ". ") {
				t.Fatalf("%q in %q", hole, s)
			}
		}
	})
}

// drawLayout takes things out of a layout and changes figures.
func drawLayout(t *rapid.T, l *report.Layout, outcome report.Outcome) {
	l.Outcome = outcome
	l.Verdict = rapid.SampledFrom([]report.Verdict{report.Held, report.Deviated, report.Inconclusive, ""}).Draw(t, "verdict")
	l.Predicted.Match = rapid.Bool().Draw(t, "match")
	l.EndS = rapid.Float64Range(-1, 110).Draw(t, "end")
	l.Faults = l.Faults[:rapid.IntRange(0, len(l.Faults)).Draw(t, "faults")]
	l.Probes = l.Probes[:rapid.IntRange(0, len(l.Probes)).Draw(t, "probes")]
	for i := range l.Probes {
		p := &l.Probes[i]
		switch rapid.IntRange(0, 3).Draw(t, "how "+p.Name) {
		case 0:
			p.Outages = nil
		case 1:
			p.Samples, p.Outages = 0, nil
		case 2:
			p.Outages = append([]report.Outage{{Gate: "power", GatedIncidentS: rapid.Float64Range(0, 5e5).Draw(t, "gated")}}, p.Outages...)
		}
	}
	l.Ledgers = l.Ledgers[:rapid.IntRange(0, 3).Draw(t, "ledgers")]
	for i := range l.Ledgers {
		g := &l.Ledgers[i]
		for _, n := range []*int{&g.Acknowledged, &g.Elsewhere, &g.Lost, &g.Unaccounted, &g.Unknown, &g.Refused} {
			*n = rapid.IntRange(0, 3).Draw(t, "figure")
		}
	}
	l.Loads = l.Loads[:rapid.IntRange(0, 1).Draw(t, "loads")]
	l.Compare = l.Compare[:rapid.IntRange(0, len(l.Compare)).Draw(t, "compare")]
	l.Failed = l.Failed[:rapid.IntRange(0, len(l.Failed)).Draw(t, "failed")]
	l.Missing = []string{"p3", "p4"}[:rapid.IntRange(0, 2).Draw(t, "missing")]
	l.NotInjected = []string{"cpu on a1: no cgroup"}[:rapid.IntRange(0, 1).Draw(t, "left out")]
	l.Hosts = l.Hosts[:rapid.IntRange(0, len(l.Hosts)).Draw(t, "hosts")]
	l.Pace = l.Pace[:rapid.IntRange(0, len(l.Pace)).Draw(t, "pace")]
	l.Reasons = []string{"agent p1 does not answer"}[:rapid.IntRange(0, 1).Draw(t, "reasons")]
}

// Each sentence stands under the question that it answers; a refusal needs none.
func TestStoryHasHeads(t *testing.T) {
	html := page(t, threeLayouts())
	at := 0
	for _, head := range []string{"What was hit", "What went dark", "What helped", "What was lost", "How it ended"} {
		i := strings.Index(html[at:], `<b class="head">`+head+`:</b>`)
		if i < 0 {
			t.Fatalf("no %q, or out of order", head)
		}
		at += i
	}
	refused := page(t, &report.Run{Outcome: report.RefusedRun, Reason: "no root"})
	if strings.Contains(refused, `class="head"`) {
		t.Error("a refusal has heads")
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
