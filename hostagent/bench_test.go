package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkIdle says what an agent with its guardian costs a host that nothing
// is injected into: memory (proportional set size, together) and CPU. The aim
// is under 20 MB. One operation is one second.
func BenchmarkIdle(b *testing.B) {
	w := newWorld(b)
	w.binary = binary + "-release"
	w.must(build(w.binary, "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w")) // as make build does
	w.start()
	s := w.state()
	pids := []int{s.Agent.PID, s.Guardian.PID}
	time.Sleep(2 * time.Second)
	before, began := ticks(w, pids), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	const tick = 10 * time.Millisecond // USER_HZ
	used := time.Duration(ticks(w, pids)-before) * tick
	kilobytes := 0
	for _, pid := range pids {
		kilobytes += pss(w, pid)
	}
	b.ReportMetric(float64(kilobytes)/1024, "MB-PSS")
	b.ReportMetric(100*used.Seconds()/time.Since(began).Seconds(), "%CPU")
	b.ReportMetric(0, "ns/op")
}

// pss reads the proportional set size of a process in kB.
func pss(w *world, pid int) (kilobytes int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	w.must(err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "Pss:" {
			kilobytes, err = strconv.Atoi(f[1])
			w.must(err)
		}
	}
	return kilobytes
}

// ticks reads the CPU time of processes so far, user and system.
func ticks(w *world, pids []int) (sum int) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		w.must(err)
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		for _, field := range f[11:13] {
			n, err := strconv.Atoi(field)
			w.must(err)
			sum += n
		}
	}
	return sum
}
