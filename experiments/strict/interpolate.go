package strict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Interpolate replaces ${name} in all texts below n by the values. A text that
// is one ${name} becomes the value itself, so that a list stays a list; inside
// a list its items are spliced in. A longer text that holds a list variable
// becomes a list of texts, one for each item. Names in reserved are left as
// they are, and $${ stands for ${.
func (d *Document) Interpolate(n *Node, values map[string]any, reserved ...string) {
	in := interpolation{doc: d, values: values, reserved: reserved}
	in.walk(n)
}

type interpolation struct {
	doc      *Document
	values   map[string]any
	reserved []string
}

func (in interpolation) walk(n *Node) {
	if n == nil {
		return
	}
	for i := range n.Pairs {
		n.Pairs[i].Value = in.value(n.Pairs[i].Value)
	}
	var items []*Node
	for _, item := range n.Items {
		was := item.Kind
		item = in.value(item)
		if was == Text && item.Kind == List {
			items = append(items, item.Items...)
			continue
		}
		items = append(items, item)
	}
	n.Items = items
}

// value returns what stands in n's place.
func (in interpolation) value(n *Node) *Node {
	text, ok := n.Text()
	if !ok {
		in.walk(n)
		return n
	}
	parts, err := Split(text)
	if err != nil {
		in.doc.Add(n, "write ${name}, or $${ for the characters themselves", "%v", err)
		return n
	}
	if len(parts) == 1 && parts[0].Variable && !slices.Contains(in.reserved, parts[0].Text) {
		v, ok := in.lookup(n, parts[0].Text)
		if !ok {
			return n
		}
		return FromAny(v, n, parts[0].Text)
	}
	return in.join(n, parts)
}

func (in interpolation) lookup(n *Node, name string) (any, bool) {
	v, ok := in.values[name]
	if !ok {
		known := make([]string, 0, len(in.values))
		for k := range in.values {
			known = append(known, k)
		}
		remedy := Choices(name, "known variables", known)
		if remedy == "" {
			remedy = "declare it under variables"
		}
		in.doc.Add(n, remedy, "unknown variable ${%s}", name)
	}
	return v, ok
}

// join builds the text, or one text an item if a part is a list.
func (in interpolation) join(n *Node, parts []Part) *Node {
	texts, from, lists := []string{""}, "", 0
	for _, p := range parts {
		options := []string{p.Text}
		if p.Variable && slices.Contains(in.reserved, p.Text) {
			options = []string{"${" + p.Text + "}"}
		} else if p.Variable {
			v, ok := in.lookup(n, p.Text)
			if !ok {
				continue
			}
			from = p.Text
			if list, isList := v.([]any); isList {
				lists++
				options = scalars(list)
			} else {
				options = scalars([]any{v})
			}
		}
		if lists > 1 {
			in.doc.Add(n, "use one list a text", "text holds two lists")
			return n
		}
		texts = product(texts, options)
	}
	if lists == 0 {
		return FromAny(texts[0], n, from)
	}
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return FromAny(all, n, from)
}

func product(left, right []string) []string {
	var out []string
	for _, l := range left {
		for _, r := range right {
			out = append(out, l+r)
		}
	}
	return out
}

func scalars(values []any) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = Scalar(v)
	}
	return out
}

// Scalar writes a text, number or bool as it would stand inside a text.
func Scalar(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// Part is a piece of a text: literal, or the name of a variable.
type Part struct {
	Text     string
	Variable bool
}

// Split cuts a text at its ${name}. Names are letters, digits, _, - and dots.
func Split(text string) ([]Part, error) {
	var parts []Part
	literal := func(s string) {
		if last := len(parts) - 1; last >= 0 && !parts[last].Variable {
			parts[last].Text += s
			return
		}
		parts = append(parts, Part{Text: s})
	}
	for text != "" {
		i := strings.Index(text, "${")
		if i < 0 {
			literal(text)
			break
		}
		if i > 0 && text[i-1] == '$' { // $${
			literal(text[:i-1] + "${")
			text = text[i+2:]
			continue
		}
		if i > 0 {
			literal(text[:i])
		}
		end := strings.IndexByte(text[i:], '}')
		if end < 0 {
			return nil, fmt.Errorf("${ is not closed")
		}
		name := text[i+2 : i+end]
		if !IsName(name) {
			return nil, fmt.Errorf("${%s} is not the name of a variable", name)
		}
		parts = append(parts, Part{Text: name, Variable: true})
		text = text[i+end+1:]
	}
	return parts, nil
}

// IsName says whether ${s} is a variable: a letter or _ first, then letters,
// digits, _, - and dots.
func IsName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || r == '.' || r == '-')) {
			return false
		}
	}
	return s != ""
}
