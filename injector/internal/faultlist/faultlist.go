// Package faultlist writes for people what the kinds of fault are, in lines of
// at most 80 columns. It is pure: it gets descriptions and returns text.
package faultlist

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Entry is one kind of fault and where it comes from.
type Entry struct {
	fault.Info
	From string `json:"from"` // BuiltIn, or the path of the executable
}

// BuiltIn is where a fault comes from that is part of the host agent.
const BuiltIn = "built in"

// width is what fits a plain terminal.
const width = 80

// label is the column at which what a line says begins.
const label = 14

// Text lists entries, each with all that is known of it.
func Text(entries []Entry) (string, error) {
	var b strings.Builder
	for i, e := range entries {
		if i > 0 {
			b.WriteByte('\n')
		}
		if err := write(&b, e); err != nil {
			return "", fmt.Errorf("list fault %s: %w", e.Kind, err)
		}
	}
	return b.String(), nil
}

func write(b *strings.Builder, e Entry) error {
	params, err := parametersOf(e.Params)
	if err != nil {
		return err
	}
	wrap(b, string(e.Kind), e.Summary)
	for i, p := range params {
		name := "  parameters"
		if i > 0 {
			name = ""
		}
		wrap(b, name, p)
	}
	needs := append(slices.Clone(e.Needs.Capabilities), e.Needs.Features...)
	if e.OutOfBand {
		needs = append(needs, "an agent beside the host")
	}
	layers := make([]string, len(e.Protection))
	for i, p := range e.Protection {
		layers[i] = string(p)
	}
	for _, line := range [][2]string{
		{"  touches", list(e.Touches)}, {"  needs", list(needs)}, {"  protection", list(layers)},
		{"  conflicts", list(e.AllConflicts())}, {"  destroys", string(e.Destroys)},
		{"  from", fmt.Sprintf("%s, version %s, contract %d", e.From, e.PluginVersion, e.ContractVersion)},
	} {
		wrap(b, line[0], line[1])
	}
	return nil
}

func list(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// wrap writes name and, from the column label on, text.
func wrap(b *strings.Builder, name, text string) {
	line := fmt.Sprintf("%-*s", label, name)
	if utf8.RuneCountInString(name) >= label {
		b.WriteString(name + "\n")
		line = strings.Repeat(" ", label)
	}
	empty := true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line, empty = strings.Repeat(" ", label), true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// schema is the part of a JSON Schema that people are told.
type schema struct {
	Type        string            `json:"type"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Enum        []any             `json:"enum"`
	Examples    []any             `json:"examples"`
	Default     any               `json:"default"`
	Minimum     *json.Number      `json:"minimum"`
	Maximum     *json.Number      `json:"maximum"`
	Items       *schema           `json:"items"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
}

// parametersOf says of each parameter what it takes: the needed ones first.
func parametersOf(raw json.RawMessage) ([]string, error) {
	var s schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("read its parameters: %w", err)
	}
	if len(s.Properties) == 0 {
		return []string{"none"}, nil
	}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := slices.Contains(s.Required, a), slices.Contains(s.Required, b); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	lines := make([]string, len(names))
	for i, name := range names {
		lines[i] = name + s.Properties[name].says(slices.Contains(s.Required, name))
	}
	return lines, nil
}

// says is what a value is, in which unit, and what happens without it.
func (s schema) says(needed bool) string {
	parts := []string{s.takes()}
	if needed {
		parts = append(parts, "needed")
	}
	if s.Default != nil {
		parts = append(parts, fmt.Sprintf("default %v", s.Default))
	}
	if len(s.Examples) > 0 {
		parts = append(parts, fmt.Sprintf("such as %v", s.Examples[0]))
	}
	text := " (" + strings.Join(parts, ", ") + ")"
	if s.Description != "" {
		text += " " + s.Description
	}
	return text
}

func (s schema) takes() string {
	switch {
	case s.Title != "":
		return s.Title
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			words[i] = fmt.Sprint(v)
		}
		return strings.Join(words, " or ")
	case s.Items != nil:
		return "list: " + s.Items.takes()
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf("%s to %s", *s.Minimum, *s.Maximum)
	case s.Minimum != nil:
		return fmt.Sprintf("%s from %s on", s.Type, *s.Minimum)
	}
	return s.Type
}
