package evidence

import (
	"fmt"
	"strings"
	"time"
)

// Line is the event in one line for people: incident clock, wall clock from t0
// (zero: the incident has not begun), what happened.
func (e Event) Line(t0 time.Time) string {
	wall := ""
	if !t0.IsZero() {
		wall = fmt.Sprintf("%7.1fs", e.Wall.Sub(t0).Seconds())
	}
	return fmt.Sprintf("%8s %8s  %s", e.Incident, wall, strings.ReplaceAll(e.Message, "\n", "; "))
}
