package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// realTime lets all threads of this process, and those they will start, run
// before ordinary ones, in turn with each other (SCHED_RR, sched(7)): a busy
// machine must not make the clients late. A kernel with RT_GROUP_SCHED permits it
// only in a group that was given real-time run time (cpu.rt_runtime_us).
func realTime() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetAttr(tid, attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("make thread %d real-time: %w", tid, err)
		}
	}
	return nil
}
