package io

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// window is how long traffic is measured: the kernel deals limits out in slices of
// 100 ms.
const window = 400 * time.Millisecond

// near is the share of a limit from which on traffic counts as held up by it.
const near = 0.8

// Observe implements fault.Plugin. Present means that all limits read back as
// asked; exercised, that the kernel counted traffic of the group that runs at one
// of them. On v1 the kernel counts what was asked for, before it is held up.
func (Plugin) Observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce}
	set := 0
	lacks := c.file(c.Limits[0]).Lacks(t)
	for _, l := range c.Limits {
		o.Asked = append(o.Asked, l.measure("limit", l.After))
		if lacks {
			continue // asked for, and not even to be read
		}
		now, err := c.read(t, l)
		if err != nil {
			return o, err
		}
		if now == l.After {
			set++
		}
		o.Achieved = append(o.Achieved, l.measure("limit", now))
	}
	if set == 0 {
		o.Detail = fmt.Sprintf("%s has none of the limits for %s", c.Group.Path, c.Name)
		return o, nil
	}
	o.State = fault.Partial
	rates, err := c.traffic(ctx)
	if err != nil {
		return o, err
	}
	if set == len(c.Limits) {
		o.State, o.Dose = fault.Present, fault.InForce
	}
	o.Detail = fmt.Sprintf("%s on %s in %v:", c.Group.Path, c.Name, window)
	for _, l := range c.Limits {
		limit, _ := strconv.ParseFloat(l.After, 64) // we wrote it
		if o.State == fault.Present && rates[l.What] >= near*limit {
			o.Dose = fault.Exercised
		}
		m := l.measure("measured", "")
		m.Value = rates[l.What]
		o.Achieved = append(o.Achieved, m)
		o.Detail += fmt.Sprintf(" %s %.0f of %s per second;", l.What, rates[l.What], l.After)
	}
	if !c.v2() {
		o.Detail += " cgroup v1 does not hold buffered writes up"
	}
	return o, nil
}

// measure names a figure after the parameter. No limit is the value 0.
func (l Limit) measure(name, text string) fault.Measure {
	n, _ := strconv.ParseFloat(text, 64)
	m := fault.Measure{Name: strings.ReplaceAll(l.What, "_", " ") + " " + name, Value: n}
	for _, k := range kinds {
		if k.what == l.What {
			m.Unit = k.unit
		}
	}
	return m
}

// traffic is what the group reads and writes per second, by parameter.
func (c Change) traffic(ctx context.Context) (map[string]float64, error) {
	before, err := c.counters()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	select {
	case <-time.After(window):
	case <-ctx.Done():
		return nil, fmt.Errorf("measure traffic of %s: %w", c.Group.Path, ctx.Err())
	}
	after, err := c.counters()
	if err != nil {
		return nil, err
	}
	over := time.Since(began).Seconds()
	rates := map[string]float64{}
	for what, n := range after {
		rates[what] = max(0, n-before[what]) / over
	}
	return rates, nil
}

// counters are the kernel's for the device, by parameter.
func (c Change) counters() (map[string]float64, error) {
	if c.v2() {
		return c.counted(c.Group, "io.stat", map[string]string{"rbytes": "read", "wbytes": "write", "rios": "read_ops", "wios": "write_ops"})
	}
	n, err := c.counted(c.Group, v1Bytes+"io_service_bytes", map[string]string{"Read": "read", "Write": "write"})
	if err != nil {
		return nil, err
	}
	ops, err := c.counted(c.Group, v1Bytes+"io_serviced", map[string]string{"Read": "read_ops", "Write": "write_ops"})
	for what, v := range ops {
		n[what] = v
	}
	return n, err
}

// counted reads the device's lines of a file: "7:3 Read 4096" on v1, "7:3
// rbytes=4096 wbytes=0" on v2.
func (c Change) counted(g group.Group, file string, names map[string]string) (map[string]float64, error) {
	text, err := cgroup.Read(g.Dir(), file)
	if err != nil {
		return nil, fmt.Errorf("read traffic of %s: %w", g.Path, err)
	}
	n := map[string]float64{}
	for line := range strings.Lines(text) {
		device, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if device != c.Device {
			continue
		}
		for name, value := range pairs(rest) {
			if what, ok := names[name]; ok {
				n[what], _ = strconv.ParseFloat(value, 64) // digits, by the kernel's hand
			}
		}
	}
	return n, nil
}

// pairs reads "Read 4096" and "rbytes=4096 wbytes=0".
func pairs(s string) map[string]string {
	p := map[string]string{}
	if name, value, ok := strings.Cut(s, " "); ok && !strings.Contains(name, "=") {
		p[name] = value
		return p
	}
	for _, w := range strings.Fields(s) {
		name, value, _ := strings.Cut(w, "=")
		p[name] = value
	}
	return p
}
