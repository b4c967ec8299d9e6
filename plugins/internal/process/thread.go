package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Threads lists the threads of a process; ErrEnded if there is none.
func Threads(pid int) (tids []int, err error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("pid %d: %w", pid, ErrEnded)
	}
	if err != nil {
		return nil, fmt.Errorf("list threads of pid %d: %w", pid, err)
	}
	for _, e := range entries {
		if tid, err := strconv.Atoi(e.Name()); err == nil {
			tids = append(tids, tid)
		}
	}
	return tids, nil
}

// Ran is how long a thread was on a CPU, in ns since it began:
// Documentation/scheduler/sched-stats in the kernel. One that has ended counts
// nothing.
func Ran(tid int) (ns int64) {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", tid))
	if f := strings.Fields(string(b)); len(f) > 0 {
		ns, _ = strconv.ParseInt(f[0], 10, 64)
	}
	return ns
}

// Processor is the CPU on which a thread ran last, field 39 of proc_pid_stat(5);
// ErrEnded if there is none.
func Processor(tid int) (int, error) {
	s, err := readStat(tid)
	return s.processor, err
}
