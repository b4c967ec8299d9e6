package live

import (
	"slices"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

const (
	// grain is the smallest bucket of a curve.
	grain = time.Second / 4
	// recent is how far back the present state and p99 look. As long as a time-out
	// lasts there is no answer, so it must be longer than that.
	recent = 3 * time.Second
)

// curve is one probe's samples, counted in buckets of boot time.
type curve struct {
	first   int64 // number of the first bucket
	buckets []bucket
	last    []probe.Sample // of the recent time, by when they were due
}

type bucket struct{ ok, all int }

func (b bucket) add(o bucket) bucket { return bucket{b.ok + o.ok, b.all + o.all} }

// take counts a sample in the bucket in which it was due.
func (c *curve) take(s probe.Sample) {
	if s.Class == probe.Saturated {
		return // the clients' own fault
	}
	n := s.Due / int64(grain)
	if len(c.buckets) == 0 {
		c.first = n
	}
	if n < c.first {
		return
	}
	for int64(len(c.buckets)) <= n-c.first {
		c.buckets = append(c.buckets, bucket{})
	}
	b := &c.buckets[n-c.first]
	b.all++
	if s.OK {
		b.ok++
	}
	c.last = append(c.last, s)
	c.last = slices.DeleteFunc(c.last, func(o probe.Sample) bool { return o.Due < s.Due-int64(recent) })
}

// between counts the samples due in [from, to) of boot time.
func (c *curve) between(from, to int64) bucket {
	var sum bucket
	lo := max(0, from/int64(grain)-c.first)
	hi := min(int64(len(c.buckets)), (to+int64(grain)-1)/int64(grain)-c.first)
	for n := lo; n < hi; n++ {
		sum = sum.add(c.buckets[n])
	}
	return sum
}

// row is how many of the last answers must be bad for a probe to be down.
const row = 3

// down says that the last answers, by when they were due, were all bad.
func (c *curve) down() bool {
	if len(c.last) < row {
		return false
	}
	slices.SortStableFunc(c.last, func(a, b probe.Sample) int { return int(a.Due - b.Due) })
	return !slices.ContainsFunc(c.last[len(c.last)-row:], func(s probe.Sample) bool { return s.OK })
}

// now is the state of the recent answers and the time that 99 of 100 good ones took.
func (c *curve) now() (seen bucket, p99 time.Duration) {
	var good []time.Duration
	for _, s := range c.last {
		seen.all++
		if s.OK {
			seen.ok++
			good = append(good, s.Latency)
		}
	}
	if len(good) == 0 {
		return seen, 0
	}
	slices.Sort(good)
	return seen, good[(len(good)*99+99)/100-1]
}
