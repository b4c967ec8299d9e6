package experiments

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/firedrill-io/firedrill/experiments/strict"
	"github.com/invopop/jsonschema"
)

//go:generate go test -run TestBaseSchema . -update

// baseSchema is generated from the types; its stage faults know no kind yet.
//
//go:embed schema.json
var baseSchema []byte

const lengthPattern = `([0-9]+(\.[0-9]+)?(us|ms|s|m|h))+$`

// JSONSchema describes the text form.
func (Instant) JSONSchema() *jsonschema.Schema {
	return textSchema("instant", "an instant of the incident", `^T\+`+lengthPattern, "T+93m", "T+10h11m")
}

// JSONSchema describes the text form.
func (Duration) JSONSchema() *jsonschema.Schema {
	return textSchema("wall-duration", "a duration of wall time longer than zero", "^"+lengthPattern, "250ms", "5s")
}

// JSONSchema describes the text form.
func (IncidentDuration) JSONSchema() *jsonschema.Schema {
	return textSchema("incident-duration", "a length of incident time", "^"+lengthPattern, "604m", "10h4m")
}

// JSONSchema describes the text form.
func (Ratio) JSONSchema() *jsonschema.Schema {
	return textSchema("percentage", "a percentage from 0% to 100%", `^[0-9]+(\.[0-9]+)?%$`, "99.9%")
}

func textSchema(format, title, pattern string, examples ...any) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Format: format, Title: title, Pattern: pattern, Examples: examples}
}

// JSONSchema describes one text or a list of texts.
func (StringList) JSONSchema() *jsonschema.Schema { return oneOrManySchema(anyText(), "a", "[a, b]") }

// JSONSchema describes one text or a list of texts.
func (URLs) JSONSchema() *jsonschema.Schema {
	return oneOrManySchema(anyText(), "http://10.77.1.1:8080/messages")
}

// JSONSchema describes one address or a list of addresses.
func (Addresses) JSONSchema() *jsonschema.Schema {
	address := textSchema("", "an address with a port", "^.+:[0-9]+$", "10.77.1.1:4222")
	return oneOrManySchema(address, address.Examples...)
}

func anyText() *jsonschema.Schema {
	least := uint64(1)
	return &jsonschema.Schema{Type: "string", MinLength: &least}
}

func oneOrManySchema(text *jsonschema.Schema, examples ...any) *jsonschema.Schema {
	least := uint64(1)
	return &jsonschema.Schema{
		AnyOf:    []*jsonschema.Schema{text, {Type: "array", Items: text, MinItems: &least}},
		Examples: examples,
	}
}

// JSONSchemaExtend demands that a selector says something.
func (Selector) JSONSchemaExtend(s *jsonschema.Schema) {
	least := uint64(1)
	s.MinProperties = &least
}

// JSONSchemaExtend narrows the default to what a variable can be.
func (Variable) JSONSchemaExtend(s *jsonschema.Schema) {
	if p, ok := s.Properties.Get("default"); ok {
		scalar := []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}}
		p.AnyOf = append(scalar, &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{AnyOf: scalar}})
	}
}

// formats gives the schema's formats the meaning that the types have.
var formats = strict.Formats{
	"instant":           func(s string) error { _, err := ParseInstant(s); return err },
	"wall-duration":     longerThanZero,
	"incident-duration": func(s string) error { _, err := ParseIncidentDuration(s); return err },
	"percentage":        func(s string) error { _, err := ParseRatio(s); return err },
}

// Formats gives the formats of this package's types a meaning, for the files
// that share them.
func Formats() strict.Formats { return formats }

// Schema returns the JSON Schema of the experiment file with the parameters of
// the given faults merged in: each kind is a key of a stage's fault.
func Schema(faults map[string]json.RawMessage) ([]byte, error) {
	var root map[string]any
	if err := json.Unmarshal(baseSchema, &root); err != nil {
		return nil, fmt.Errorf("read base schema: %w", err)
	}
	defs := root["$defs"].(map[string]any)
	properties := defs["StageFault"].(map[string]any)["properties"].(map[string]any)
	for kind, raw := range faults {
		var params map[string]any
		if err := json.Unmarshal(raw, &params); err != nil {
			return nil, fmt.Errorf("read parameter schema of fault %s: %w", kind, err)
		}
		mergeFault(defs, properties, kind, params)
	}
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(out, '\n'), nil
}

// mergeFault adds one kind. Definitions move to the root under names of their
// own, because references inside a JSON Schema count from its root.
func mergeFault(defs, properties map[string]any, kind string, params map[string]any) {
	prefix := "fault." + kind + "."
	if own, ok := params["$defs"].(map[string]any); ok {
		for name, def := range own {
			defs[prefix+name] = moveRefs(def, prefix)
		}
	}
	for _, key := range []string{"$defs", "$schema", "$id"} {
		delete(params, key)
	}
	properties[kind] = moveRefs(params, prefix)
}

func moveRefs(v any, prefix string) any {
	switch v := v.(type) {
	case map[string]any:
		for key, sub := range v {
			if name, ok := sub.(string); ok && key == "$ref" {
				v[key] = "#/$defs/" + prefix + strings.TrimPrefix(name, "#/$defs/")
				continue
			}
			v[key] = moveRefs(sub, prefix)
		}
	case []any:
		for i := range v {
			v[i] = moveRefs(v[i], prefix)
		}
	}
	return v
}

func longerThanZero(s string) error {
	d, err := ParseDuration(s)
	if err == nil && d == 0 {
		err = fmt.Errorf("%q is not longer than zero", s)
	}
	return err
}
