package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// about says what was tested, and where.
type about struct {
	Commit, CPU, Kernel   string
	Cores                 int
	LoadBefore, LoadAfter string
}

// machine looks at this one, before the tests.
func machine(commit string) about {
	return about{Commit: commit, Cores: runtime.NumCPU(), Kernel: kernel(), LoadBefore: loadavg()}
}

func (a about) String() string {
	return fmt.Sprintf("* Commit: %s\n* Machine: %s\n* Load average over a minute: %s before, %s after\n",
		a.Commit, a.machine(), a.LoadBefore, a.LoadAfter)
}

func (a about) machine() string {
	cpu := ""
	if a.CPU != "" {
		cpu = a.CPU + ", "
	}
	return fmt.Sprintf("%d cores, %s%s", a.Cores, cpu, a.Kernel)
}

func kernel() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// loadavg is the load average of the last minute, as proc(5) has it.
func loadavg() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
