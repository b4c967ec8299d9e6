package strict

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Validate checks the document against the schema and notes every violation.
func (d *Document) Validate(s *Schema) {
	var invalid *jsonschema.ValidationError
	err := s.compiled.Validate(d.Root.Any())
	if err == nil {
		return
	}
	if !errors.As(err, &invalid) {
		d.Add(d.Root, "", "%v", err)
		return
	}
	v := violations{doc: d, schema: s, said: map[string]bool{}}
	v.walk(invalid)
}

type violations struct {
	doc    *Document
	schema *Schema
	said   map[string]bool // instance locations whose value is known to be wrong
}

func (v violations) walk(e *jsonschema.ValidationError) {
	switch e.ErrorKind.(type) {
	case *kind.AnyOf:
		v.alternatives(e, "anyOf")
		return
	case *kind.OneOf:
		v.alternatives(e, "oneOf")
		return
	}
	if len(e.Causes) == 0 {
		v.leaf(e)
	}
	for _, cause := range e.Causes {
		v.walk(cause)
	}
}

// alternatives reports the keys of which one is wanted, or the branch that has the
// value's type, or all types.
func (v violations) alternatives(e *jsonschema.ValidationError, keyword string) {
	sub := v.schema.at(e.SchemaURL)
	if names := demanded(sub, keyword); len(names) > 1 {
		v.oneOf(e, sub, names)
		return
	}
	var wanted []string
	got, fits := "", 0
	for _, branch := range e.Causes {
		if t := typeError(branch, len(e.InstanceLocation)); t != nil {
			wanted, got = append(wanted, t.Want...), t.Got
			continue
		}
		v.walk(branch)
		fits++
	}
	if fits == 0 && got != "" {
		v.leaf(&jsonschema.ValidationError{
			SchemaURL: e.SchemaURL, InstanceLocation: e.InstanceLocation,
			ErrorKind: &kind.Type{Got: got, Want: wanted},
		})
	}
}

// demanded are the keys that the branches of a schema demand, if that is all that
// they do.
func demanded(sub map[string]any, keyword string) (names []string) {
	branches, _ := sub[keyword].([]any)
	for _, b := range branches {
		branch, _ := b.(map[string]any)
		required, ok := branch["required"].([]any)
		if !ok {
			return nil
		}
		names = append(names, scalars(required)...)
	}
	return names
}

// oneOf reports a mapping that has none of some keys, or more than one.
func (v violations) oneOf(e *jsonschema.ValidationError, sub map[string]any, names []string) {
	examples := make([]string, len(names))
	for i, name := range names {
		examples[i] = name + ": " + example(v.schema.property(sub, name))
	}
	v.doc.ExactlyOne(v.doc.Root.find(e.InstanceLocation), "add "+strings.Join(examples, " or "), names...)
}

func typeError(e *jsonschema.ValidationError, depth int) *kind.Type {
	if t, ok := e.ErrorKind.(*kind.Type); ok && len(e.InstanceLocation) == depth {
		return t
	}
	for _, cause := range e.Causes {
		if t := typeError(cause, depth); t != nil {
			return t
		}
	}
	return nil
}

func (v violations) leaf(e *jsonschema.ValidationError) {
	location := strings.Join(e.InstanceLocation, "/")
	n := v.doc.Root.find(e.InstanceLocation)
	sub := v.schema.at(e.SchemaURL)
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			if p, ok := n.Pair(name); ok {
				v.doc.AddKey(p, Choices(name, "known keys", keys(sub)), "unknown key %q", name)
			}
		}
		return
	case *kind.Required:
		for _, name := range k.Missing {
			v.doc.Add(n, "add "+name+": "+example(v.schema.property(sub, name)), "missing key %q", name)
		}
		return
	}
	if v.said[location] {
		return
	}
	v.said[location] = true
	text, remedy := v.describe(n, e, sub)
	v.doc.Add(n, remedy, "%s", text)
}

// describe says what is wrong with one value.
func (v violations) describe(n *Node, e *jsonschema.ValidationError, sub map[string]any) (text, remedy string) {
	name := ""
	if len(e.InstanceLocation) > 0 {
		name = e.InstanceLocation[len(e.InstanceLocation)-1]
	}
	title, _ := sub["title"].(string)
	if n.Kind == Null {
		return fmt.Sprintf("%q is empty", name), "write it like " + example(sub)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		if title != "" {
			return show(n) + " is not " + title, "write it like " + example(sub)
		}
		return show(n) + " is " + typeName(k.Got), "write " + typeNames(k.Want)
	case *kind.Pattern, *kind.Format:
		if title == "" {
			title = "allowed here"
		}
		return show(n) + " is not " + title, "write it like " + example(sub)
	case *kind.Enum:
		word, _ := k.Got.(string)
		return show(n) + " is not allowed here", Choices(word, "allowed", scalars(k.Want))
	case *kind.MinItems:
		return "list is too short", fmt.Sprintf("write at least %d", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("%q says nothing", name), "known keys: " + strings.Join(keys(sub), ", ")
	case *kind.PropertyNames:
		return fmt.Sprintf("%q is not allowed as a name", k.Property), "write small letters, digits and -"
	}
	return e.ErrorKind.LocalizedString(message.NewPrinter(language.English)), ""
}

// find follows an instance location.
func (n *Node) find(location []string) *Node {
	for _, key := range location {
		next := n.Get(key)
		if n.Kind == List {
			if i, err := strconv.Atoi(key); err == nil && i < len(n.Items) {
				next = n.Items[i]
			}
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func keys(object map[string]any) []string {
	properties, _ := object["properties"].(map[string]any)
	out := make([]string, 0, len(properties))
	for key := range properties {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

// example is how a value of the schema is written.
func example(sub map[string]any) string {
	if list, ok := sub["examples"].([]any); ok && len(list) > 0 {
		return strings.Join(scalars(list), " or ")
	}
	if list, ok := sub["enum"].([]any); ok && len(list) > 0 {
		return strings.Join(scalars(list), " or ")
	}
	switch sub["type"] {
	case "array":
		return "[…]"
	case "object":
		return "{…}"
	case "integer":
		return "1"
	}
	return "…"
}

// show is a value as it stands in the file, cut to a length that reads well.
func show(n *Node) string {
	switch n.Kind {
	case List:
		return "a list"
	case Map:
		return "a mapping"
	}
	b, err := json.Marshal(n.Value)
	if err != nil {
		return "this"
	}
	if r := []rune(string(b)); len(r) > 60 {
		return string(r[:60]) + `…"`
	}
	return string(b)
}

var typeWords = map[string]string{
	"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
	"array": "a list", "object": "a mapping", "null": "nothing",
}

func typeName(t string) string { return typeWords[t] }

func typeNames(types []string) string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = typeName(t)
	}
	return strings.Join(slices.Compact(words), " or ")
}
