package report_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/injector/internal/report"
)

func ExampleInstant() {
	fmt.Println(report.Instant(93*time.Minute), report.Instant(3*time.Minute+5*time.Second), report.Instant(-time.Minute))
	// Output: T+93m T+3m5s T-1m
}

func ExampleLong() {
	fmt.Println(report.Long(609*time.Minute), "|", report.Long(45*time.Second), "|", report.Long(127*time.Hour+33*time.Minute), "|", report.Long(time.Hour))
	// Output: 10 h 9 min | 45 s | 5 d 7 h 33 min | 1 h
}

func ExampleWall() {
	fmt.Println(report.Wall(240*time.Millisecond), "|", report.Wall(6300*time.Millisecond), "|", report.Wall(20*time.Second), "|", report.Wall(5*time.Minute))
	// Output: 240 ms | 6.3 s | 20 s | 5 min
}

func ExamplePercent() {
	fmt.Println(report.Percent(1), report.Percent(0.999), report.Percent(0.99999), report.Percent(0.5), report.Percent(0))
	// Output: 100% 99.9% 99.99% 50% 0%
}

func ExampleCount() {
	fmt.Println(report.Count(7), report.Count(1234), report.Count(1234567), report.Count(-1234))
	// Output: 7 1,234 1,234,567 -1,234
}

// A share is never flattered: 100% means every single one, and what is written
// is not above what was measured.
func TestPercentNeverRoundsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.IntRange(1, 1_000_000).Draw(t, "of")
		good := rapid.IntRange(0, of).Draw(t, "good")
		share := float64(good) / float64(of)
		var written float64
		if _, err := fmt.Sscanf(report.Percent(share), "%g%%", &written); err != nil {
			t.Fatalf("%q: %v", report.Percent(share), err)
		}
		if written > 100*share+1e-6 && written < 99.9999 || written == 100 && good < of || math.Abs(written-100*share) > 0.011 {
			t.Fatalf("%d of %d is written %s", good, of, report.Percent(share))
		}
	})
}
