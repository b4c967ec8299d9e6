package probe_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

const tick = int64(100 * time.Millisecond)

// row makes samples 100 ms apart that take 10 ms: '.' is good, 'x' failed.
func row(pattern string) []probe.Sample {
	var out []probe.Sample
	for i, c := range pattern {
		s := probe.Sample{Probe: "text", Due: int64(i) * tick, Start: int64(i) * tick, Latency: 10 * time.Millisecond, OK: c == '.', Class: probe.OK}
		if !s.OK {
			s.Class = probe.Timeout
		}
		out = append(out, s)
	}
	return out
}

func TestOutages(t *testing.T) {
	answer := int64(10 * time.Millisecond)
	for name, c := range map[string]struct {
		samples string
		late    []probe.Window
		want    []probe.Outage
	}{
		"none":                 {samples: "...................."},
		"one failed request":   {samples: "....x..............."},
		"too short":            {samples: "....xxxxx..........."},
		"twelve":               {samples: "....xxxxxxxxxxxx....", want: []probe.Outage{{From: 4 * tick, To: 16*tick + answer}}},
		"a lucky answer":       {samples: "....xxxxx.xxxxxx....", want: []probe.Outage{{From: 4 * tick, To: 16*tick + answer}}},
		"two":                  {samples: "xxxxxxxxxxxx...xxxxxxxxxxxx...", want: []probe.Outage{{From: 0, To: 12*tick + answer}, {From: 15 * tick, To: 27*tick + answer}}},
		"open":                 {samples: "....xxxxxxxxxxxx", want: []probe.Outage{{From: 4 * tick}}},
		"ends with the last":   {samples: "....xxxxxxxxxxxx.", want: []probe.Outage{{From: 4 * tick, To: 16*tick + answer}}},
		"all of it late":       {samples: "....xxxxxxxxxxxx....", late: []probe.Window{{From: 4 * tick, To: 16 * tick}}},
		"late in the middle":   {samples: "....xxxxxxxxxxxx....", late: []probe.Window{{From: 8 * tick, To: 9 * tick}}, want: []probe.Outage{{From: 4 * tick, To: 16*tick + answer}}},
		"late at the recovery": {samples: "....xxxxxxxxxxxx....", late: []probe.Window{{From: 14 * tick, To: 16 * tick}}, want: []probe.Outage{{From: 4 * tick, To: 16*tick + answer, After: time.Duration(2 * tick)}}},
		"late at the start":    {samples: "....xxxxxxxxxxxxxx....", late: []probe.Window{{From: 4 * tick, To: 6 * tick}}, want: []probe.Outage{{From: 6 * tick, To: 18*tick + answer, Before: time.Duration(2 * tick)}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, probe.Outages(row(c.samples), c.late)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Requests that try one URL after the other end late: some that were sent early
// are answered after the outage, some sent later had their last try before. It
// is one outage all the same.
func TestOutagesOverlap(t *testing.T) {
	samples := row("....xxxxxxxxxxxx...xxxxxxxxxxxx....")
	for i := 16; i < 19; i++ {
		samples[i].Latency = 2 * time.Second
	}
	want := []probe.Outage{{From: 4 * tick, To: 31*tick + int64(10*time.Millisecond)}}
	if diff := cmp.Diff(want, probe.Outages(samples, nil)); diff != "" {
		t.Error(diff)
	}
}

// Whatever the samples and the late windows: outages are in order and apart, at
// least MinOutage long, begin with a failure that was not late, and without
// failures there is none.
func TestOutagesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune("..xxx")), 0, 200, -1).Draw(t, "samples")
		late := probe.Merge(rapid.SliceOfN(rapid.Custom(func(t *rapid.T) probe.Window {
			from := rapid.Int64Range(0, 200).Draw(t, "from") * tick
			return probe.Window{From: from, To: from + rapid.Int64Range(1, 20).Draw(t, "length")*tick}
		}), 0, 5).Draw(t, "late"))
		samples := row(pattern)
		last := int64(-1)
		for i, o := range probe.Outages(samples, late) {
			first := samples[o.From/tick]
			if first.OK || first.Late(late) {
				t.Fatalf("outage %d begins with %+v", i, first)
			}
			if o.From <= last {
				t.Fatalf("outage %d begins before the one before it ended", i)
			}
			if o.To != 0 && o.To-o.From < int64(probe.MinOutage) {
				t.Fatalf("outage %d lasts %d ns", i, o.To-o.From)
			}
			if o.Before < 0 || o.After < 0 || (last < 0 && i > 0) {
				t.Fatalf("outage %d: %+v after an open one", i, o)
			}
			last = o.To
			if o.To == 0 {
				last = -2
			}
		}
	})
}

// Merged windows are sorted, apart, and cover what they covered before.
func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		windows := rapid.SliceOf(rapid.Custom(func(t *rapid.T) probe.Window {
			from := rapid.Int64Range(-50, 50).Draw(t, "from")
			return probe.Window{From: from, To: from + rapid.Int64Range(1, 20).Draw(t, "length")}
		})).Draw(t, "windows")
		merged := probe.Merge(windows)
		covers := func(ws []probe.Window, at int64) bool {
			for _, w := range ws {
				if w.From <= at && at < w.To {
					return true
				}
			}
			return false
		}
		covered := 0
		for at := int64(-60); at < 80; at++ {
			if covers(windows, at) != covers(merged, at) {
				t.Fatalf("%d: before %v, after %v", at, windows, merged)
			}
			if covers(merged, at) {
				covered++
			}
		}
		if got := probe.Overlap(merged, -60, 80); got != time.Duration(covered) {
			t.Fatalf("overlap %d, counted %d", got, covered)
		}
	})
}
