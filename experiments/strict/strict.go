// Package strict reads YAML files of which nothing may be guessed: every error
// of a file is found in one pass and told with its line, its column and what
// would be right. Experiment files and inventories are read with it.
//
// The steps are Read (YAML to Nodes), Interpolate (${name}), Validate (JSON
// Schema), the caller's own checks with Add, and Decode, which gives a value
// only when nothing was wrong. Problems gather in the Document and never stop
// the next step.
package strict

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Document is one file while it is read.
type Document struct {
	File string
	// Root is null when the file could not be parsed at all.
	Root     *Node
	lines    []string
	problems []Problem
}

// Add notes that something is wrong at n. Remedy says what would be right and
// may be empty.
func (d *Document) Add(n *Node, remedy, format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	if n.Variable != "" {
		message += " (from ${" + n.Variable + "})"
	}
	d.add(n.Line, n.Column, remedy, message)
}

// AddInside is Add at a place inside the text of n, both counted from 1. A text
// that does not stand in the file as it is (with variables, escapes or more than
// one line) is pointed at as a whole.
func (d *Document) AddInside(n *Node, line, column int, remedy, format string, args ...any) {
	text, ok := n.Text()
	if ok && line == 1 && n.Line >= 1 && n.Line <= len(d.lines) && n.Column >= 1 {
		runes := []rune(d.lines[n.Line-1])
		rest := string(runes[min(n.Column-1, len(runes)):])
		quote := 0
		if strings.HasPrefix(rest, `"`) || strings.HasPrefix(rest, "'") {
			quote = 1
		}
		if strings.HasPrefix(rest[quote:], text) {
			at := *n
			at.Column += quote + column - 1
			n = &at
		}
	}
	d.Add(n, remedy, format, args...)
}

// AddKey is Add at the key of a mapping's entry.
func (d *Document) AddKey(p Pair, remedy, format string, args ...any) {
	d.add(p.Line, p.Column, remedy, fmt.Sprintf(format, args...))
}

// ExactlyOne notes a mapping that has none of some keys, for which add is the remedy,
// or more than one.
func (d *Document) ExactlyOne(n *Node, add string, keys ...string) {
	if n == nil || n.Kind != Map {
		return
	}
	var found []Pair
	for _, key := range keys {
		if p, ok := n.Pair(key); ok {
			found = append(found, p)
		}
	}
	switch last := len(keys) - 1; {
	case len(found) == 0:
		d.Add(n, add, "one of %s and %s is missing", strings.Join(keys[:last], ", "), keys[last])
	case len(found) > 1:
		d.AddKey(found[1], "keep one of the two", "%s and %s exclude each other", found[0].Key, found[1].Key)
	}
}

func (d *Document) add(line, column int, remedy, message string) {
	line, column = max(line, 1), max(column, 1)
	source := ""
	if line <= len(d.lines) {
		source = d.lines[line-1]
	}
	d.problems = append(d.problems, Problem{
		File: d.File, Line: line, Column: column, Message: message, Remedy: remedy, Source: source,
	})
}

// Err returns all problems so far as one *Error, or nil.
func (d *Document) Err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return newError(d.problems)
}

// Decode fills v from the document by v's JSON rules. It returns Err if there
// was any problem: nothing is decoded from a file that is not valid.
func (d *Document) Decode(v any) error {
	if err := d.Err(); err != nil {
		return err
	}
	b, err := json.Marshal(d.Root.Any())
	if err != nil {
		return fmt.Errorf("decode %s: %w", d.File, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		// The schema let something pass that the types refuse.
		d.add(1, 1, "", strings.TrimPrefix(err.Error(), "json: "))
		return d.Err()
	}
	return nil
}

// Problems returns what is wrong with a file, if err is a *Error.
func Problems(err error) []Problem {
	var e *Error
	if errors.As(err, &e) {
		return e.Problems
	}
	return nil
}
