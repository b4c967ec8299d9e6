package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// columns is how wide a terminal is taken to be; what does not fit is cut.
const columns = 80

// Summary writes the final comparison of a run's layouts for a terminal of 80
// columns: a line a service with a column a layout and what really happened, the
// ledgers and loads, then each layout's verdict and what to know about it.
func Summary(w io.Writer, run *Run) error {
	if len(run.Layouts) == 0 {
		_, err := fmt.Fprintf(w, "%s: %s\n", run.Outcome, run.Reason)
		return err
	}
	var out strings.Builder
	rows := shortRows(run)
	writeGrid(&out, rows)
	for _, l := range run.Layouts {
		for _, line := range layoutLines(l) {
			out.WriteString(cut(line, columns) + "\n")
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// gridLine is a line of the comparison: cells, or a note over the whole width.
type gridLine struct {
	cells []string // name, layouts, and what happened if something is compared
	note  string
}

// shortRows is the comparison in its short form, the head first.
func shortRows(run *Run) []gridLine {
	head := []string{""}
	for _, l := range run.Layouts {
		head = append(head, l.Name)
	}
	score, compares := scoreboard(run), false
	for _, r := range score {
		compares = compares || r.Happened != ""
	}
	if compares {
		head = append(head, "happened")
	}
	out := []gridLine{{cells: head}}
	for _, r := range score {
		if r.Group != services {
			continue
		}
		line := []string{r.Name}
		for _, c := range r.Cells {
			line = append(line, c.Short)
		}
		if compares {
			line = append(line, r.ShortHappened)
		}
		out = append(out, gridLine{cells: line})
	}
	return append(append(out, legend(out[1:])...), countRows(run)...)
}

// legend says what the cells mean that are there.
func legend(rows []gridLine) []gridLine {
	var text strings.Builder
	for _, r := range rows {
		text.WriteString(" " + strings.Join(r.cells[1:], " "))
	}
	shown, out := text.String(), []gridLine{}
	waited, own := example(rows)
	if waited != "" {
		out = append(out, gridLine{note: waited + ": waited for power or people, in time of the incident (replayed)"})
	}
	if own != "" {
		out = append(out, gridLine{note: own + ": then software by itself, in wall time (measured); never added up"})
	}
	var parts []string
	for _, p := range [][2]string{{" held", "held: no outage of a second or more"}, {"dark", "dark: to the end"}, {"×", "×n: worst of n"}, {"?", "?: clients were late"}, {"–", "–: not measured"}} {
		if strings.Contains(shown, p[0]) {
			parts = append(parts, p[1])
		}
	}
	for _, line := range strings.Split(ansi.Wrap(strings.Join(parts, " · "), columns, ""), "\n") {
		if line != "" {
			out = append(out, gridLine{note: strings.TrimSuffix(strings.TrimSpace(line), " ·")})
		}
	}
	return out
}

// example is an outage of this run with which to say what its two times are: one that
// waited if there is one. waited is empty without, own is empty without an outage.
func example(rows []gridLine) (waited, own string) {
	for _, r := range rows {
		for _, cell := range r.cells[1:] {
			before, after, ok := strings.Cut(" "+cell, " +")
			if !ok {
				continue
			}
			took, _, _ := strings.Cut("+"+after, " ")
			own = strings.TrimSuffix(took, "?")
			if before != "" {
				return strings.TrimSpace(before), own
			}
		}
	}
	return "", own
}

// countRows are ledgers and loads, one line each under a line that says which
// figures these are.
func countRows(run *Run) []gridLine {
	var out []gridLine
	add := func(title string, names []string, of func(Layout, string) string) {
		if len(names) > 0 {
			out = append(out, gridLine{}, gridLine{note: title})
		}
		for _, name := range names {
			line := []string{name}
			for _, l := range run.Layouts {
				line = append(line, of(l, name))
			}
			out = append(out, gridLine{cells: line})
		}
	}
	add("writes: acknowledged/lost/without an answer", names(run, ledgerNames), func(l Layout, name string) string {
		if g, ok := l.ledger(name); ok {
			return Count(g.Acknowledged) + "/" + Count(g.Lost) + "/" + Count(g.Unknown)
		}
		return "–"
	})
	add("requests: sent/answered/most people at a rival", names(run, loadNames), func(l Layout, name string) string {
		if g, ok := l.load(name); ok {
			return Count(g.Requests) + "/" + Count(g.Answered) + "/" + Count(g.MostMoved)
		}
		return "–"
	})
	return append(out, gridLine{})
}

// writeGrid pads every column to its widest cell, as far as the terminal goes.
// The first column gets what it needs up to its limit, the layouts share the rest.
func writeGrid(out *strings.Builder, rows []gridLine) {
	const longestName, happenedWidth, gap = 12, 8, 2
	var widths []int
	for _, r := range rows {
		for i, c := range r.cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(c))
		}
	}
	widths[0] = min(widths[0], longestName)
	n := len(widths) - 1
	if head := rows[0].cells; head[n] == "happened" && n > 1 {
		n--
	}
	share := (columns-widths[0]-happenedWidth-gap)/n - gap
	for i := 1; i <= n; i++ {
		widths[i] = min(widths[i], max(share, 1))
	}
	for _, r := range rows {
		line := r.note
		for i, c := range r.cells {
			c = cut(c, widths[i])
			line += c + strings.Repeat(" ", widths[i]-ansi.StringWidth(c)+gap)
		}
		out.WriteString(cut(strings.TrimRight(line, " "), columns) + "\n")
	}
}

// layoutLines are a layout's verdict and what has to be known besides.
func layoutLines(l Layout) []string {
	out := verdictLines(l)
	for _, reason := range l.Reasons {
		for _, part := range strings.Split(ansi.Wordwrap(oneLine(reason), columns-2, ""), "\n") {
			out = append(out, "  "+part) // a reason says what to do, it is not cut
		}
	}
	out = append(out, failedLines(l)...)
	for _, g := range l.Ledgers {
		if g.Missing+g.Duplicated+g.Unaccounted > 0 {
			out = append(out, fmt.Sprintf("  %s: %s missing, %s of these elsewhere; %s duplicated, %s unaccounted for",
				g.Name, Count(g.Missing), Count(g.Elsewhere), Count(g.Duplicated), Count(g.Unaccounted)))
		}
	}
	out = append(out, few("  missing: ", l.Missing)...)
	out = append(out, few("  not injected: ", l.NotInjected)...)
	return append(out, few("  left behind: ", l.ResidueDiff)...)
}

func verdictLines(l Layout) []string {
	text := ended(l)
	switch {
	case l.Predicted.Verdict != "" && l.Predicted.Match:
		text += ", as predicted"
	case l.Predicted.Verdict != "":
		text += ", not as predicted"
	}
	hosts := "hosts left as found"
	if l.HostState == Residue {
		hosts = "hosts: residue"
	}
	text = l.Name + ": " + text + "; " + hosts
	if n := len(l.Failed); n > 0 {
		text += "; failed: " + Count(n)
	}
	if l.Predicted.Verdict == "" || l.Predicted.Match {
		return []string{text}
	}
	return []string{text, "  predicted: " + strings.Join(append([]string{string(l.Predicted.Verdict)}, l.Predicted.Failed...), " ")}
}

// failedLines names what failed, by field.
func failedLines(l Layout) []string {
	var fields []string
	of := map[string][]string{}
	for _, line := range l.Failed {
		i := max(strings.LastIndex(line, "."), 0)
		name, field := line[:i], strings.TrimPrefix(line[i:], ".")
		if !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
		of[field] = append(of[field], name)
	}
	var out []string
	for _, field := range fields {
		out = append(out, fmt.Sprintf("  %s: %s", field, strings.Join(of[field], " ")))
	}
	return out
}

// few writes the first items of a list, each on a line, and how many more there are.
func few(title string, items []string) []string {
	const most = 3
	var out []string
	for i, item := range items {
		if i == most {
			return append(out, fmt.Sprintf("%s%s more, see the report", title, Count(len(items)-most)))
		}
		out = append(out, title+oneLine(item))
	}
	return out
}

// cut shortens a text to a number of columns.
func cut(text string, n int) string { return ansi.Truncate(text, n, "…") }

// oneLine makes one line of a text, without control sequences.
func oneLine(text string) string {
	return strings.Join(strings.Fields(ansi.Strip(text)), " ")
}
