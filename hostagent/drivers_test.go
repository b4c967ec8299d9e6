package main

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins"
)

// Every fault of the catalogue is built in, under the name that it says itself.
func TestCatalogueIsBuiltIn(t *testing.T) {
	catalogue, err := plugins.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	drivers := builtin()
	for kind, d := range drivers {
		info, err := d.Describe(t.Context())
		if err != nil || info.Kind != kind {
			t.Errorf("registered as %q, describes itself as %q (error %v)", kind, info.Kind, err)
		}
		delete(catalogue, kind)
	}
	for kind := range catalogue {
		t.Errorf("%s has a description and no line in builtin.go", kind)
	}
}
