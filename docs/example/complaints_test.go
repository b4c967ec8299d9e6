package example

import "testing"

// Every answer of the page names tests that exist.
func TestComplaintsNameTests(t *testing.T) {
	wrong, rows := missing(read(t, "../complaints.md"))
	for _, w := range wrong {
		t.Error(w)
	}
	if rows < 30 {
		t.Errorf("only %d rows found", rows)
	}
}
