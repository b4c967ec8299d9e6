package experiments

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// String writes the instant in the two units that people use: T+93m, T+3m5s.
func (i Instant) String() string { return "T+" + minutes(time.Duration(i)) }

// String writes the length in minutes and seconds: 604m.
func (d IncidentDuration) String() string { return minutes(time.Duration(d)) }

// String writes the duration as time.Duration does: 250ms, 1m30s.
func (d Duration) String() string { return time.Duration(d).String() }

// String writes the ratio as a percentage: 99.9%.
func (r Ratio) String() string {
	return strconv.FormatFloat(math.Round(float64(r)*100*1e9)/1e9, 'f', -1, 64) + "%"
}

func minutes(d time.Duration) string {
	m, rest := d/time.Minute, d%time.Minute
	switch {
	case rest == 0:
		return fmt.Sprintf("%dm", m)
	case m == 0:
		return rest.String()
	}
	return fmt.Sprintf("%dm%s", m, rest)
}

// ParseInstant reads T+93m, T+10h11m, T+30s.
func ParseInstant(s string) (Instant, error) {
	rest, ok := strings.CutPrefix(s, "T+")
	if !ok {
		return 0, fmt.Errorf("%q is not an instant of the incident: write T+93m", s)
	}
	d, err := parseLength(rest)
	if err != nil {
		return 0, fmt.Errorf("%q is not an instant of the incident: write T+93m", s)
	}
	return Instant(d), nil
}

// ParseDuration reads a length of wall time: 250ms, 5s, 1m30s.
func ParseDuration(s string) (Duration, error) {
	d, err := parseLength(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 250ms, 5s or 1m30s", s)
	}
	return Duration(d), nil
}

// ParseIncidentDuration reads a length of incident time: 604m, 10h4m.
func ParseIncidentDuration(s string) (IncidentDuration, error) {
	d, err := ParseDuration(s)
	return IncidentDuration(d), err
}

// ParseRatio reads a percentage from 0% to 100%.
func ParseRatio(s string) (Ratio, error) {
	num, ok := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(num, 64)
	if !ok || err != nil || v < 0 || v > 100 || math.IsNaN(v) {
		return 0, fmt.Errorf("%q is not a percentage from 0%% to 100%%: write 99.9%%", s)
	}
	return Ratio(v / 100), nil
}

// parseLength is time.ParseDuration without signs and without a bare 0.
func parseLength(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || s == "0" || strings.HasPrefix(s, "+") || d < 0 || strings.HasPrefix(s, "-") {
		return 0, fmt.Errorf("%q is not a length of time", s)
	}
	return d, nil
}

// MarshalText writes what UnmarshalText reads.
func (i Instant) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText reads T+93m.
func (i *Instant) UnmarshalText(b []byte) (err error) {
	*i, err = ParseInstant(string(b))
	return err
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 250ms.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}

// MarshalText writes what UnmarshalText reads.
func (d IncidentDuration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads 604m.
func (d *IncidentDuration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseIncidentDuration(string(b))
	return err
}

// MarshalText writes what UnmarshalText reads.
func (r Ratio) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads 99.9%.
func (r *Ratio) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRatio(string(b))
	return err
}

// UnmarshalJSON reads one string or a list of strings.
func (l *StringList) UnmarshalJSON(b []byte) error {
	many, err := oneOrMany(b)
	*l = many
	return err
}

// UnmarshalJSON reads one string or a list of strings.
func (u *URLs) UnmarshalJSON(b []byte) error {
	many, err := oneOrMany(b)
	*u = many
	return err
}

// UnmarshalJSON reads one address or a list of addresses.
func (a *Addresses) UnmarshalJSON(b []byte) error {
	many, err := oneOrMany(b)
	*a = many
	return err
}

func oneOrMany(b []byte) ([]string, error) {
	var one string
	if json.Unmarshal(b, &one) == nil {
		return []string{one}, nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return nil, fmt.Errorf("decode list of texts: %w", err)
	}
	return many, nil
}
