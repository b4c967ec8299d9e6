package runner

import (
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

func TestMeasuresAreReadable(t *testing.T) {
	got := measures([]fault.Measure{{Name: "memory limit", Value: 24 << 20, Unit: "bytes"}, {Name: "left", Value: 512, Unit: "bytes"}, {Name: "packets cut", Value: 3, Unit: "packets"}})
	if want := "memory limit: 24 MiB, left: 512 bytes, packets cut: 3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
