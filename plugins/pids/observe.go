package pids

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// Observe implements fault.Plugin. Present means that the limit reads back as
// asked; exercised, that the kernel counted forks that it refused since.
func (Plugin) Observe(_ context.Context, t fault.Target, c Change) (fault.Observation, error) {
	asked, err := strconv.ParseFloat(c.Limit.After, 64)
	if err != nil {
		return fault.Observation{}, fmt.Errorf("read change record: limit %q is no number", c.Limit.After)
	}
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: []fault.Measure{processes("process limit", asked)}}
	g := c.Limit.Group
	if c.Limit.Lacks(t) {
		o.Detail = fmt.Sprintf("%s has no %s: systemd hands no controller of processes on", g.Path, limitFile)
		return o, nil
	}
	now, err := c.Limit.Now(t)
	if err != nil {
		return o, err
	}
	current, err := number(g, currentFile)
	if err != nil {
		return o, err
	}
	refused, err := refusals(g)
	if err != nil {
		return o, err
	}
	if refused >= c.Refused {
		refused -= c.Refused // else somebody set the counter back
	}
	if limit, err := strconv.ParseFloat(now, 64); err == nil {
		o.Achieved = append(o.Achieved, processes("process limit", limit))
	}
	o.Achieved = append(o.Achieved, processes("processes", float64(current)), fault.Measure{Name: "forks refused", Value: float64(refused), Unit: "times"})
	if now == c.Limit.After {
		o.State, o.Dose = fault.Present, fault.InForce
		// Forks that a limit of somebody else's refused before Apply would count too.
		if refused > 0 && (c.Limit.Before == unlimited || float64(current) >= asked) {
			o.Dose = fault.Exercised
		}
	}
	o.Detail = fmt.Sprintf("%s has %d processes and threads of %s, and was refused %d", g.Path, current, now, refused)
	return o, nil
}

// refusals is how often the kernel refused the group, or one below it, a process
// for want of room: max of pids.events. The root of a hierarchy has no such file.
func refusals(g group.Group) (uint64, error) {
	text, err := cgroup.Read(g.Dir(), "pids.events")
	if err != nil {
		return 0, fmt.Errorf("read refused processes of %s: %w", g.Path, err)
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "max" {
			return strconv.ParseUint(f[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("read refused processes of %s: no max in pids.events", g.Path)
}

func number(g group.Group, file string) (int, error) {
	text, err := cgroup.Read(g.Dir(), file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("read %s of %s: %q is no number", file, g.Path, text)
	}
	return n, nil
}

func processes(name string, n float64) fault.Measure {
	return fault.Measure{Name: name, Value: n, Unit: "processes"}
}
