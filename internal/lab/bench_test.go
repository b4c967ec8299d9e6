package lab_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
)

// BenchmarkUp30 raises and takes down a lab of 30 hosts.
func BenchmarkUp30(b *testing.B) {
	var text strings.Builder
	text.WriteString("inventory: thirty\nsites: [{name: s1, racks: [{name: r1}, {name: r2}, {name: r3}]}]\npower: [{name: u, kind: utility, site: s1}]\nhosts:\n")
	for i := range 30 {
		fmt.Fprintf(&text, "  - {name: h%d, site: s1, rack: r%d, feeds: [u]}\n", i+1, i%3+1)
	}
	inv := parse(b, text.String())
	for b.Loop() {
		l, err := lab.Up(b.Context(), lab.Config{Inventory: inv, Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := l.Down(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
