package inventory

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/experiments/strict"
)

var update = flag.Bool("update", false, "write generated and golden files")

// The committed schema is what the types say today.
func TestSchemaIsCurrent(t *testing.T) {
	got, err := strict.Generate(Inventory{}, map[string]string{
		"github.com/firedrill-io/firedrill/internal/inventory": ".",
		"github.com/firedrill-io/firedrill/experiments":        "../../experiments",
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for _, path := range []string{"schema.json", "../../docs/inventory.schema.json"} {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if !bytes.Equal(got, schema) {
		t.Error("schema.json is stale: run make generate")
	}
}
