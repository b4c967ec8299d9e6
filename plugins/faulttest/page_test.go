package faulttest

import (
	"os"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/conformance"
)

// docs/writing-a-fault.md names every history, and every planted mistake with
// the histories that catch it.
func TestPageNamesHistoriesAndMistakes(t *testing.T) {
	b, err := os.ReadFile("../../docs/writing-a-fault.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(b)), " ")
	var names []string
	for _, h := range conformance.Histories() {
		names = append(names, h.Name)
	}
	if list := strings.Join(names, " · "); !strings.Contains(page, list) {
		t.Errorf("the page lists other histories than: %s", list)
	}
	for _, p := range planted {
		_, row, _ := strings.Cut(page, "| "+p.name+" |")
		cells := strings.SplitN(row, "|", 3) // what it does, caught by, the rest
		if want := strings.Join(p.caught, " · "); len(cells) < 3 || strings.TrimSpace(cells[1]) != want {
			t.Errorf("the page has no row that says: %s, caught by %s", p.name, want)
		}
	}
}
