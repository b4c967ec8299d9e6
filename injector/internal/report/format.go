package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Instant writes a moment of the incident: T+93m, T+3m5s.
func Instant(at time.Duration) string {
	sign := "+"
	if at < 0 {
		sign, at = "-", -at
	}
	at = at.Round(time.Second)
	minutes, seconds := at/time.Minute, at%time.Minute/time.Second
	if seconds == 0 {
		return fmt.Sprintf("T%s%dm", sign, minutes)
	}
	return fmt.Sprintf("T%s%dm%ds", sign, minutes, seconds)
}

// Long writes a length of incident time for people: 10 h 9 min, 45 s.
func Long(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	d = d.Round(time.Minute)
	days, hours, minutes := d/(24*time.Hour), d%(24*time.Hour)/time.Hour, d%time.Hour/time.Minute
	var parts []string
	if days > 0 {
		parts = append(parts, fmt.Sprintf("%d d", days))
	}
	if hours > 0 {
		parts = append(parts, fmt.Sprintf("%d h", hours))
	}
	if minutes > 0 {
		parts = append(parts, fmt.Sprintf("%d min", minutes))
	}
	return strings.Join(parts, " ")
}

// Wall writes a length of wall time for people: 6.3 s, 240 ms.
func Wall(d time.Duration) string {
	if d < time.Second && d > -time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	if d >= 2*time.Minute {
		return Long(d)
	}
	return trim(strconv.FormatFloat(d.Seconds(), 'f', 1, 64)) + " s"
}

// shortLong is Long for a narrow column: 3d13h38, 10h08, 45s.
func shortLong(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	d = d.Round(time.Minute)
	days, hours, minutes := d/(24*time.Hour), d%(24*time.Hour)/time.Hour, d%time.Hour/time.Minute
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%02dh%02d", days, hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%dh%02d", hours, minutes)
	}
	return fmt.Sprintf("%dmin", minutes)
}

// shortWall is Wall for a narrow column: 6.3s, 80ms.
func shortWall(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d >= 2*time.Minute:
		return shortLong(d)
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
}

// Percent writes a share of one, rounded down so that 100% means every single one.
func Percent(share float64) string {
	for _, digits := range []int{2, 3, 4} {
		scale := float64(pow10(digits))
		cut := float64(int64(share*100*scale+1e-9)) / scale
		if cut < 100 || share >= 1 {
			return trim(strconv.FormatFloat(cut, 'f', digits, 64)) + "%"
		}
	}
	return "99.9999%"
}

func pow10(n int) int {
	p := 1
	for range n {
		p *= 10
	}
	return p
}

// trim takes zeros off the end of a decimal fraction.
func trim(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// seconds turns the report's seconds into a duration.
func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
