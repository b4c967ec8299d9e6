package cpu

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// cpuList are numbers of CPUs in order, each once.
type cpuList []int

// mostCPUs bounds their numbers: what unix.CPUSet holds, CPU_SETSIZE of sched.h.
const mostCPUs = 1024

// parseCPUs reads a list like 0-1,4, cpuset(7), List format. Nothing is none.
func parseCPUs(field, s string) (list cpuList, err error) {
	if s == "" {
		return nil, nil
	}
	for _, part := range strings.Split(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || from > to || to >= mostCPUs {
			return nil, fault.Refuse(field, "%.40q is no list of CPUs; write it like 0-1 or 0,2-3", s)
		}
		for n := from; n <= to; n++ {
			list = append(list, int(n))
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// String writes the list as the kernel does.
func (l cpuList) String() string {
	var parts []string
	for i := 0; i < len(l); {
		end := i
		for end+1 < len(l) && l[end+1] == l[end]+1 {
			end++
		}
		part := strconv.Itoa(l[i])
		if end > i {
			part += "-" + strconv.Itoa(l[end])
		}
		parts = append(parts, part)
		i = end + 1
	}
	return strings.Join(parts, ",")
}

// without are those of l that are not in others.
func (l cpuList) without(others cpuList) cpuList {
	return slices.DeleteFunc(slices.Clone(l), func(n int) bool { return slices.Contains(others, n) })
}

// affinity is where a thread may run, sched_getaffinity(2); 0: this one.
func affinity(tid int) (list cpuList, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(tid, &set); err != nil {
		return nil, err
	}
	for n := range mostCPUs {
		if set.IsSet(n) {
			list = append(list, n)
		}
	}
	return list, nil
}

// setAffinity lets a thread run on the CPUs of l only.
func (l cpuList) setAffinity(tid int) error {
	var set unix.CPUSet
	for _, n := range l {
		set.Set(n)
	}
	return unix.SchedSetaffinity(tid, &set)
}
