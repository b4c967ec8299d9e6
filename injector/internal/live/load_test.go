package live

import (
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// A load has a row of its own, and what the run goes on without is seen on the
// map and among the lines.
func TestLoadAndMissing(t *testing.T) {
	sc := loadScene(t)
	exp := *sc.exp
	exp.Load = []experiments.Load{{Load: "users", Users: 30, Rival: &experiments.Rival{}}}
	var s state
	s.layout("stretched", &exp, sc.inv, sc.plan)
	s.second(crowd.Second{Load: "users", People: 30, Requests: 14, Answered: 9, Moved: 4})
	host := sc.inv.Hosts[0].Name
	draw := func() string { return frame{s: &s, now: time.Now(), columns: 120, rows: 50}.draw() }
	if text := draw(); !strings.Contains(text, "load users: 30 people, 14 requests/s, 9 answered, 4 at the rival") || strings.Contains(text, "missing") {
		t.Error(text)
	}
	s.event(evidence.Event{Type: evidence.LeftOut, Host: host, Injection: "a", Message: "goes on without the optional cpu"}, true)
	if strings.Contains(draw(), "missing 1") {
		t.Error("an optional fault that is left out makes a host missing")
	}
	s.event(evidence.Event{Type: evidence.LeftOut, Host: host, Message: "goes on without " + host}, true)
	if text := draw(); !strings.Contains(text, "missing 1") || !strings.Contains(text, host+" ?") || !strings.Contains(text, "goes on without "+host) {
		t.Error(text)
	}
}
