package experiments

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestInstants(t *testing.T) {
	for text, want := range map[string]string{
		"T+93m": "T+93m", "T+10h11m": "T+611m", "T+30s": "T+30s", "T+0m": "T+0m", "T+3m5s": "T+3m5s", "T+90s": "T+1m30s", "T+1.5m": "T+1m30s", "T+250ms": "T+250ms",
	} {
		i, err := ParseInstant(text)
		if err != nil || i.String() != want {
			t.Errorf("%s is %s, %v; want %s", text, i, err, want)
		}
	}
	for _, text := range []string{"93m", "T-3m", "T+", "T+-3m", "T++3m", "t+3m", "T+3", "T+0", "T+ 3m", ""} {
		if i, err := ParseInstant(text); err == nil {
			t.Errorf("%q is accepted as %s", text, i)
		}
	}
}

// What is written can be read, and is the same.
func TestTimesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(1e6*time.Hour)).Draw(t, "d"))
		i, err := ParseInstant(Instant(d).String())
		if err != nil || i != Instant(d) {
			t.Errorf("instant %s: %v, %v", Instant(d), i, err)
		}
		length, err := ParseIncidentDuration(IncidentDuration(d).String())
		if err != nil || length != IncidentDuration(d) {
			t.Errorf("length %s: %v, %v", IncidentDuration(d), length, err)
		}
		permille := rapid.IntRange(0, 1000).Draw(t, "permille")
		r, err := ParseRatio(Ratio(float64(permille) / 1000).String())
		if err != nil || int(float64(r)*1000+0.5) != permille {
			t.Errorf("%d permille: %v, %v", permille, r, err)
		}
	})
}
