package example

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/dose"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// measured is the section of docs/faults.md that shows what make measure found:
// a row for each dose, a column for each environment. A dose that was too far off,
// or a host that was not as before, fails the test.
func measured(t *testing.T, kinds []fault.Kind) string {
	t.Helper()
	runs, err := dose.Read(root + "/" + dose.File)
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	s.WriteString("\n## Measured\n\nWritten by `make measure`: each dose is read by a meter that the fault knows nothing of, and the host is listed before the fault and after its revert. " +
		"*reverted* means: both listings are the same. A dose may be off what was asked by what stands behind ±.\n\n")
	head, line := "| fault | dose of | asked |", "|---|---|---:|"
	for _, r := range runs {
		fmt.Fprintf(&s, "* **%s**: %s; commit %s, `%s`, load average %s before and %s after\n", title(r.Environment), r.Environment.Kernel, r.Commit, r.Command, r.LoadBefore, r.LoadAfter)
		head += " " + title(r.Environment) + " |"
		line += "---|"
	}
	s.WriteString("\n" + head + "\n" + line + "\n")
	rows := rowsOf(runs)
	for _, kind := range kinds {
		if !slices.ContainsFunc(rows, func(m dose.Measurement) bool { return m.Fault == string(kind) }) {
			fmt.Fprintf(&s, "| %s | not measured so far | |%s\n", kind, strings.Repeat(" |", len(runs)))
		}
		for _, m := range rows {
			if m.Fault != string(kind) {
				continue
			}
			fmt.Fprintf(&s, "| %s | %s | %s |", kind, m.What, asked(m))
			for _, r := range runs {
				fmt.Fprintf(&s, " %s |", cell(t, r, m))
			}
			s.WriteString("\n")
		}
	}
	return s.String()
}

// title names an environment.
func title(e dose.Environment) string {
	groups := "cgroup " + e.Cgroup
	if e.Cgroup == "hybrid" {
		groups = "cgroup v1 (v2 beside it)"
	}
	if e.Netem {
		return groups + ", netem"
	}
	return groups + ", no netem"
}

// rowsOf are the doses that were asked for in any run, in a fixed order.
func rowsOf(runs []dose.Run) (rows []dose.Measurement) {
	for _, r := range runs {
		for _, m := range r.Measurements {
			if !slices.ContainsFunc(rows, func(o dose.Measurement) bool { return sameDose(o, m) }) {
				rows = append(rows, m)
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b dose.Measurement) int { return cmp.Compare(a.Fault, b.Fault) })
	return rows
}

func sameDose(a, b dose.Measurement) bool {
	return a.Fault == b.Fault && a.What == b.What && a.Asked == b.Asked && a.Unit == b.Unit
}

func asked(m dose.Measurement) string {
	text := figure(m.Asked, 4) + " " + m.Unit
	if m.Within != 0 {
		text += " ± " + figure(m.Within, 2)
	}
	return text
}

// cell is what a run has of the dose m.
func cell(t *testing.T, r dose.Run, m dose.Measurement) string {
	t.Helper()
	i := slices.IndexFunc(r.Measurements, func(o dose.Measurement) bool { return sameDose(o, m) })
	if i < 0 {
		return "not run"
	}
	m = r.Measurements[i]
	if !m.Accurate() || !m.Reverted {
		t.Errorf("%s, %s, %s: asked %v, achieved %v within %v %s; reverted: %v", title(r.Environment), m.Fault, m.What, m.Asked, m.Achieved, m.Within, m.Unit, m.Reverted)
	}
	if !m.Reverted {
		return figure(m.Achieved, 4) + ", **not reverted**"
	}
	return figure(m.Achieved, 4) + ", reverted"
}

// figure has so many digits, and more before the point.
func figure(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'g', digits, 64)
	if strings.Contains(text, "e") {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return text
}
