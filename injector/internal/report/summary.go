package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Summary writes the final comparison of a run's layouts for a terminal: one
// column a layout, and what really happened beside the figures it compares with.
func Summary(w io.Writer, run *Run) error {
	var out strings.Builder
	if len(run.Layouts) == 0 {
		fmt.Fprintf(&out, "%s: %s\n", run.Outcome, run.Reason)
	} else {
		writeColumns(&out, table(run))
		for _, l := range run.Layouts {
			for _, reason := range l.Reasons {
				word := string(l.Verdict)
				if l.Outcome != Completed {
					word = string(l.Outcome)
				}
				out.WriteString(strings.TrimSpace(fmt.Sprintf("%s %s: %s", l.Name, word, reason)) + "\n")
			}
			if len(l.Failed) > 0 {
				fmt.Fprintf(&out, "%s failed: %s\n", l.Name, strings.Join(l.Failed, ", "))
			}
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// MarkdownTable is the same comparison as a table in Markdown.
func MarkdownTable(run *Run) string {
	var out strings.Builder
	for i, row := range table(run) {
		for _, c := range row {
			out.WriteString("| " + strings.ReplaceAll(c, "|", `\|`) + " ")
		}
		out.WriteString("|\n")
		if i == 0 {
			out.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	return out.String()
}

// table is the scoreboard as text, the head first. The column of the incident's
// own figures is there only if something is compared.
func table(run *Run) [][]string {
	rows := scoreboard(run)
	compares := false
	for _, r := range rows {
		compares = compares || r.Happened != ""
	}
	head := []string{""}
	for _, l := range run.Layouts {
		head = append(head, l.Name)
	}
	if compares {
		head = append(head, "what happened")
	}
	out := [][]string{head}
	for _, r := range rows {
		name := r.Name
		if r.Clock != noClock {
			name += " (" + string(r.Clock) + ")"
		}
		line := []string{name}
		for _, c := range r.Cells {
			line = append(line, c.Text)
		}
		if compares {
			line = append(line, r.Happened)
		}
		out = append(out, line)
	}
	return out
}

// writeColumns pads every column to its widest cell.
func writeColumns(out *strings.Builder, rows [][]string) {
	widths := map[int]int{}
	for _, row := range rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			line.WriteString(c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+2))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}
