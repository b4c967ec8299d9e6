package live

import (
	"fmt"
	"slices"
	"strings"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

// dose is the faults of one stage and kind.
type dose struct {
	stage, kind string
	hosts       []string
	states      map[string]int
	one         report.Fault // one of them, for its words
}

// doses groups the faults that were fired, the last stage first.
func (s *state) doses() []dose {
	if s.judged == nil {
		return nil
	}
	var out []dose
	for _, one := range s.judged.Faults {
		if one.FromWallS == 0 && one.ToWallS == 0 {
			continue // not fired yet
		}
		at := slices.IndexFunc(out, func(d dose) bool { return d.stage == one.Stage && d.kind == one.Kind })
		if at < 0 {
			out, at = append(out, dose{stage: one.Stage, kind: one.Kind, states: map[string]int{}}), len(out)
		}
		d := &out[at]
		d.hosts, d.one = append(d.hosts, one.Host), one
		d.states[one.State]++
	}
	slices.SortStableFunc(out, func(a, b dose) int {
		switch {
		case a.one.FromWallS > b.one.FromWallS:
			return -1
		case a.one.FromWallS < b.one.FromWallS:
			return 1
		}
		return 0
	})
	return out
}

// faults are the last faults, asked and achieved: in one row each, or in three
// where there is room.
func (f frame) faults(room int) []string {
	doses := f.s.doses()
	full := room >= 3*len(doses)
	var out []string
	for _, d := range doses {
		where := strings.Join(slices.Compact(slices.Sorted(slices.Values(d.hosts))), " ")
		text := fmt.Sprintf("%s: %s on %s: ", d.stage, d.kind, cut(where, f.columns/3))
		text += f.words(d.states)
		asked, achieved := clean(d.one.Asked), clean(d.one.Achieved)
		if full {
			out = append(out, text, "  asked     "+asked, "  achieved  "+achieved)
			continue
		}
		out = append(out, text+"; "+achieved)
	}
	return out[:min(len(out), max(1, room))]
}

// words says how many of the faults did what.
func (f frame) words(states map[string]int) string {
	var out []string
	for _, state := range []string{"exercised", "in force", "not in force"} {
		n := states[state]
		if n == 0 {
			continue
		}
		text := fmt.Sprintf("%d %s", n, state)
		switch state {
		case "exercised":
			text = f.fg(text, green, true)
		case "in force":
			text = f.fg(text, yellow, true)
		default:
			text = f.fg(text, red, true)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
