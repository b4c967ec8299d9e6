package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/firedrill-io/firedrill/internal/inventory"
)

var update = flag.Bool("update", false, "write generated and golden files")

// The committed schemas are what injector schema prints today.
func TestCommittedSchemas(t *testing.T) {
	experiment, err := experimentSchema("")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]byte{
		"../docs/experiment.schema.json": experiment,
		"../docs/inventory.schema.json":  inventory.Schema(),
	} {
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run make generate", path)
		}
	}
}
