package report

import (
	"regexp"
	"strings"
)

// mark is how sources are referred to by a letter and a number: N24.
var mark = regexp.MustCompile(`\b[A-Z]\d+\b`)

// MarkdownServices is the comparison of the services alone, for a page that has
// room for one table: sources stand in it by their marks, if they have some.
func MarkdownServices(run *Run) string {
	return markdownTable(serviceTable(run, func(r scoreRow) string {
		if marks := mark.FindAllString(r.Source, -1); len(marks) > 0 {
			return strings.Join(marks, " ")
		}
		return r.Source
	}))
}

// MarkdownTable is the whole comparison: the services beside what happened with
// its sources, then availability, ledgers, loads, verdicts and hosts.
func MarkdownTable(run *Run) string {
	rest := [][]string{append([]string{""}, layoutNames(run)...)}
	for _, r := range scoreboard(run) {
		if r.Group != services && r.Name != "verdict" {
			rest = append(rest, append([]string{r.Name}, texts(r)...))
		}
	}
	return markdownTable(serviceTable(run, func(r scoreRow) string { return r.Source })) + "\n" + markdownTable(rest)
}

// serviceTable is a row a service and the verdict, the head first. The columns of
// the incident's own figures are there only if something is compared.
func serviceTable(run *Run, source func(scoreRow) string) [][]string {
	score, compares := scoreboard(run), false
	for _, r := range score {
		compares = compares || r.Happened != ""
	}
	head := append([]string{"waited (*replayed*), then (*measured*)"}, layoutNames(run)...)
	if compares {
		head = append(head, "what happened", "source")
	}
	out := [][]string{head}
	for _, r := range score {
		if r.Group != services && r.Name != "verdict" {
			continue
		}
		line := append([]string{r.Name}, texts(r)...)
		if compares {
			line = append(line, r.Happened, source(r))
		}
		out = append(out, line)
	}
	return out
}

func texts(r scoreRow) []string {
	var out []string
	for _, c := range r.Cells {
		out = append(out, c.Text)
	}
	return out
}

func markdownTable(rows [][]string) string {
	var out strings.Builder
	for i, row := range rows {
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
