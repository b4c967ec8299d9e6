package probe

import (
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// every100 makes one sample each 100 ms from 0 on; ok says which succeed.
func every100(n int, ok func(i int) bool) []Sample {
	var out []Sample
	for i := range n {
		s := Sample{Probe: "p", Due: int64(i) * 100 * ms, Start: int64(i) * 100 * ms, Latency: 10 * time.Millisecond, OK: ok(i), Class: OK}
		if !s.OK {
			s.Class = Refused
		}
		out = append(out, s)
	}
	return out
}

func TestDark(t *testing.T) {
	failing := func(from, to int) func(int) bool { return func(i int) bool { return i < from || i >= to } }
	for name, c := range map[string]struct {
		samples []Sample
		late    []Window
		now     int64
		want    time.Duration
	}{
		"serves":           {every100(100, failing(0, 0)), nil, 10000 * ms, 0},
		"dark to the end":  {every100(100, failing(60, 100)), nil, 10000 * ms, 3910 * time.Millisecond},
		"seen up to now":   {every100(100, failing(60, 100)), nil, 8000 * ms, 1910 * time.Millisecond},
		"came back":        {every100(100, failing(20, 60)), nil, 10000 * ms, 0},
		"too short to say": {every100(100, failing(98, 100)), nil, 10000 * ms, 0},
		"one lucky answer": {every100(100, func(i int) bool { return i < 40 || i == 70 }), nil, 10000 * ms, 5910 * time.Millisecond},
		"clients late":     {every100(100, failing(60, 100)), []Window{{From: 6000 * ms, To: 10250 * ms}}, 10000 * ms, 0},
		"late in between":  {every100(100, failing(60, 100)), []Window{{From: 7000 * ms, To: 8000 * ms}}, 10000 * ms, 2910 * time.Millisecond},
		"nothing":          {nil, nil, 10000 * ms, 0},
	} {
		if got := Dark(c.samples, c.late, c.now); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestLookBack(t *testing.T) {
	half := every100(100, func(i int) bool { return i%2 == 0 })
	over := 2 * time.Second
	l := LookBack(half, nil, 100*time.Millisecond, over, 10000*ms)
	if !l.Known() || l.Availability() != 0.5 || l.P99() != 10*time.Millisecond {
		t.Errorf("known %v, availability %v, p99 %s", l.Known(), l.Availability(), l.P99())
	}
	for name, l := range map[string]Look{
		"not answered yet": LookBack(half, nil, 100*time.Millisecond, over, 11000*ms),
		"sent late":        LookBack(half, []Window{{From: 8000 * ms, To: 9000 * ms}}, 100*time.Millisecond, over, 10000*ms),
		"nothing":          LookBack(nil, nil, 100*time.Millisecond, over, 10000*ms),
	} {
		if l.Known() {
			t.Errorf("%s: known", name)
		}
	}
}
