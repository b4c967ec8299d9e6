package memory

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/pressure"
)

// near is how far from what was asked counts as reached, as a share of it, or of
// all memory of the host where a share of that was asked.
const near = 0.01

// observe: present means that what was asked was held; exercised, that it is held
// now and the host says that so much less is available. All figures are the
// kernel's: what the process has locked, and what is available.
func (f filling) observe(fault.Target) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce}
	now, err := f.Bounds.room()
	if err != nil {
		return o, err
	}
	if f.Take > 0 {
		o.Asked = []fault.Measure{bytes("memory taken", f.Take)}
	} else {
		o.Asked = []fault.Measure{inUse(100 * (1 - float64(f.Leave)/float64(f.Total)))}
	}
	held, err := f.holder.Observe(f.Owner)
	if err != nil || !held.Present {
		return o, err
	}
	o.State = fault.Partial
	taken := uint64(0)
	if !held.Ended {
		taken = locked(held.By.PID)
	}
	o.Achieved = []fault.Measure{bytes("memory taken", taken), inUse(now.used()), bytes("memory available", now.available)}
	o.Detail = fmt.Sprintf("%s holds %s; %s of %s are available", held.By, size(taken), size(now.available), size(now.total))
	if s, ok := pressure.Read(filepath.Join(pressure.Host, "memory")); ok {
		o.Achieved = append(o.Achieved, fault.Measure{Name: "memory pressure", Value: s.Avg10, Unit: "% of the last 10 s"})
	}
	if held.Ended {
		o.Detail = fmt.Sprintf("%s, which held the memory, has ended; the kernel's log says if for want of memory", held.By)
		return o, nil
	}
	if held.What.Why != "" {
		o.Detail += fmt.Sprintf("; it gave back %s in all, the last time %s", size(held.What.GaveBack), held.What.Why)
	}
	if !held.What.Counted {
		o.Detail += "; this kernel does not count how long programs wait, so that the reserve alone guards the host"
	}
	switch {
	case taken == 0:
	case f.reached(taken, now):
		o.State, o.Dose = fault.Present, fault.Exercised
	case held.What.Reached:
		o.State, o.Dose = fault.Present, fault.InForce
	}
	return o, nil
}

// reached asks the host whether so much less is available.
func (f filling) reached(taken uint64, now room) bool {
	if f.Take == 0 {
		return float64(now.available) <= float64(f.Leave)+near*float64(f.Total)
	}
	return float64(taken) >= (1-near)*float64(f.Take) && now.available+taken/2 <= f.Before
}

func inUse(percent float64) fault.Measure {
	return fault.Measure{Name: "memory in use", Value: percent, Unit: "% of the host's"}
}

// locked is what a process has locked, VmLck of proc_pid_status(5); 0 if it has
// ended.
func locked(pid int) uint64 {
	values, err := fields("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	return values["VmLck:"] << 10
}
