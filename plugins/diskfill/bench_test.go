package diskfill

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystemtest"
)

func BenchmarkFault(b *testing.B) {
	dir, _ := filesystemtest.Ext4(b, 64*mib, "-m", "0")
	file := filepath.Join(dir, "fill")
	faulttest.Bench(b, faulttest.Benchmark{
		Plugin: driver, Target: here, Params: Params{Path: dir, Leave: "10MiB"},
		Tool: "fallocate, rm", Apply: faulttest.Command(b, "/usr/bin/fallocate", "-l", "40MiB", file),
		Revert: func() {
			if err := os.Remove(file); err != nil {
				b.Fatal(err)
			}
		},
	})
}
