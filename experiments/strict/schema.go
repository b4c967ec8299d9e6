package strict

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	generate "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Schema is a compiled JSON Schema that can say what it would have accepted.
type Schema struct {
	compiled *jsonschema.Schema
	raw      map[string]any
}

// schemaURL is the name of the schema inside the compiler; nothing is fetched.
const schemaURL = "https://firedrill.io/schema.json"

// Formats gives a meaning to the values of the keyword format.
type Formats map[string]func(string) error

// Compile reads a schema.
func Compile(raw []byte, formats Formats) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	root, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("read schema: not an object")
	}
	delete(root, "$id")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, check := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: onTexts(check)})
	}
	if err := c.AddResource(schemaURL, root); err != nil {
		return nil, fmt.Errorf("add schema: %w", err)
	}
	compiled, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return &Schema{compiled: compiled, raw: root}, nil
}

func onTexts(check func(string) error) func(any) error {
	return func(v any) error {
		if s, ok := v.(string); ok {
			return check(s)
		}
		return nil
	}
}

// at returns the subschema of a schema location.
func (s *Schema) at(location string) map[string]any {
	_, pointer, _ := strings.Cut(location, "#")
	if decoded, err := url.PathUnescape(pointer); err == nil {
		pointer = decoded
	}
	var v any = s.raw
	for _, key := range strings.Split(strings.Trim(pointer, "/"), "/") {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		switch at := v.(type) {
		case map[string]any:
			if key != "" {
				v = at[key]
			}
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		}
	}
	m, _ := v.(map[string]any)
	return m
}

// property returns the schema of a key of an object schema, references resolved.
func (s *Schema) property(object map[string]any, key string) map[string]any {
	properties, _ := object["properties"].(map[string]any)
	sub, _ := properties[key].(map[string]any)
	for range 8 {
		ref, ok := sub["$ref"].(string)
		if !ok {
			break
		}
		sub = s.at(ref)
	}
	return sub
}

// Generate derives the schema of v from its Go type: keys from the json tags,
// required unless omitempty, limits from the jsonschema tags, descriptions from
// the comments in the source folders, which are named by import path.
func Generate(v any, sources map[string]string) ([]byte, error) {
	r := &generate.Reflector{ExpandedStruct: true, Anonymous: true}
	for path, dir := range sources {
		if err := r.AddGoComments(path, dir); err != nil {
			return nil, fmt.Errorf("read comments of %s: %w", path, err)
		}
	}
	for name, comment := range r.CommentMap {
		r.CommentMap[name] = strings.Join(strings.Fields(comment), " ")
	}
	s := r.ReflectFromType(reflect.TypeOf(v))
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(out, '\n'), nil
}
