package powerloss

import (
	"context"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// left is what is there of the recorded power-on of a host.
type left struct {
	alive     bool // pid 1
	populated bool // any process
	frozen    bool
	cable     bool // plugged in
	up        bool // and switched on
	groups    int  // control groups of the record
	live      int  // file systems that reach their disk
	shut      int  // file systems cut off but held
}

// look reads it from the kernel.
func look(s power.Status) (left, error) {
	l := left{alive: alive(s)}
	if ino, err := cgroup.Inode(s.Cgroup); err == nil && ino == s.CgroupIno {
		l.groups++
		// A group that goes away meanwhile is empty.
		l.populated, _ = cgroup.Populated(s.Cgroup)
		text, _ := cgroup.Read(s.Cgroup, "cgroup.freeze")
		l.frozen = text == "1"
	}
	f, err := openFabric(s)
	if err != nil {
		return l, err
	}
	defer f.close()
	c, err := f.cable(s)
	if err != nil {
		return l, err
	}
	l.cable, l.up = c.link != nil, c.up()
	for _, f := range s.FileSystems {
		switch stateOf(s, f, !l.alive || l.frozen || !l.up) {
		case diskLive:
			l.live++
		case diskShut:
			l.shut++
		}
	}
	return l, nil
}

// off: nothing of the host runs, holds a disk or can be heard.
func (l left) off() bool {
	return !l.alive && !l.populated && !l.cable && l.live+l.shut == 0
}

// on: the host is as it was, which holds only if no disk was ever cut off.
func (l left) on(s power.Status) bool {
	return l.alive && l.up && !l.frozen && l.live == len(s.FileSystems)
}

// observe reads the kernel. The power controller is asked only whether
// the host was switched on since; then what it is made of now is looked at.
func (labMode) observe(ctx context.Context, t fault.Target, c Change) (fault.Observation, error) {
	s := c.Host
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce, Asked: measures(0, 0, 0)}
	now, err := power.NewClient(t.Power).Status(ctx, s.Host)
	since := err == nil && now.On && now.BootID != s.BootID
	if since {
		s = now
	}
	l, err := look(s)
	if err != nil {
		return o, err
	}
	heard, err := answers(s)
	if err != nil {
		return o, fmt.Errorf("send canary to host %s: %w", s.Host, err)
	}
	o.Achieved = measures(count(l.alive || l.populated), l.live, count(heard))
	o.Detail = fmt.Sprintf("switched on since %t, pid 1 alive %t, processes %t, frozen %t, cable up %t, file systems live %d, shut down but held %d", since, l.alive, l.populated, l.frozen, l.up, l.live, l.shut)
	switch {
	case since || l.on(s):
	case !l.off():
		o.State = fault.Partial
	default:
		o.State, o.Dose = fault.Present, fault.InForce
		if c.Answered && !heard {
			o.Dose = fault.Exercised
		}
	}
	return o, nil
}

func measures(running, live, heard int) []fault.Measure {
	return []fault.Measure{
		{Name: "hosts with processes", Value: float64(running), Unit: "hosts"},
		{Name: "file systems with a disk", Value: float64(live), Unit: "file systems"},
		{Name: "canaries answered", Value: float64(heard), Unit: "canaries"},
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
