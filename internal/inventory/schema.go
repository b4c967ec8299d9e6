package inventory

import (
	_ "embed"
	"maps"
	"slices"
	"sync"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/experiments/strict"
)

//go:generate go test -run TestSchemaIsCurrent . -update

// schema is generated from the types.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema of inventories and lab files.
func Schema() []byte { return slices.Clone(schema) }

// compile is done once: the schema never changes.
var compile = sync.OnceValues(func() (*strict.Schema, error) { return strict.Compile(schema, formats()) })

// formats are those of the experiment file and our own.
func formats() strict.Formats {
	all := maps.Clone(experiments.Formats())
	all["rate"] = func(s string) error { _, err := ParseRate(s); return err }
	return all
}
