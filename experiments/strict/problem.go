package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`   // from 1
	Column  int    `json:"column"` // from 1, in characters
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"` // what would be right
	Source  string `json:"source,omitempty"` // the line
}

// String is the problem with its source line, a caret and the remedy.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s\n", p.File, p.Line, p.Column, p.Message)
	if p.Source != "" {
		number := fmt.Sprintf("%5d", p.Line)
		source, at := window(p.Source, p.Column)
		fmt.Fprintf(&b, "%s | %s\n", number, source)
		fmt.Fprintf(&b, "%s | %s^\n", strings.Repeat(" ", len(number)), at)
	}
	if p.Remedy != "" {
		fmt.Fprintf(&b, "        %s\n", p.Remedy)
	}
	return b.String()
}

// sourceWidth is how much of a long line is shown.
const sourceWidth = 90

// window returns the part of line around column and what stands before the caret.
func window(line string, column int) (shown, before string) {
	runes := []rune(line)
	at := min(column-1, len(runes))
	from := 0
	if len(runes) > sourceWidth && at > sourceWidth/2 {
		from = min(at-sourceWidth/2, len(runes)-sourceWidth)
	}
	to := min(from+sourceWidth, len(runes))
	lead, tail := "", ""
	if from > 0 {
		lead = "…"
	}
	if to < len(runes) {
		tail = "…"
	}
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(runes[from:at]))
	return lead + string(runes[from:to]) + tail, strings.Repeat(" ", utf8.RuneCountInString(lead)) + indent
}

// Error is everything that is wrong with a file.
type Error struct {
	// Problems stand in the order of the file.
	Problems []Problem
}

func newError(problems []Problem) *Error {
	sorted := slices.Clone(problems)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Problems: slices.Compact(sorted)}
}

// Error lists all problems, one after the other, and their number if there are several.
func (e *Error) Error() string {
	var b strings.Builder
	for _, p := range e.Problems {
		b.WriteString(p.String())
	}
	if len(e.Problems) > 1 {
		fmt.Fprintf(&b, "%d problems\n", len(e.Problems))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
