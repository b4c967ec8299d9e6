package cpu

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
)

// times are what CPUs did since boot, in clock ticks, proc_stat(5).
type times struct{ all, idle uint64 }

// readTimes adds up the lines of some CPUs; nothing where the kernel tells
// nothing.
func readTimes(cpus cpuList) (t times) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return t
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		name, ok := strings.CutPrefix(lines.Text(), "cpu")
		if !ok || len(fields) < 9 {
			continue
		}
		name, _, _ = strings.Cut(name, " ")
		if n, err := strconv.Atoi(name); err != nil || !slices.Contains(cpus, n) {
			continue // the line of all CPUs has no number
		}
		for i, text := range fields[1:9] { // guest time is in user time already
			ticks, _ := strconv.ParseUint(text, 10, 64)
			t.all += ticks
			if i == idleField || i == waitField {
				t.idle += ticks
			}
		}
	}
	return t
}

// The fields of a line that say that the CPU did nothing.
const (
	idleField = 3
	waitField = 4 // for a disk
)

// busySince is how busy the CPUs were since before, in %, stolen time included.
func (t times) busySince(before times) float64 {
	if t.all <= before.all {
		return 0
	}
	return wholePercent * (1 - float64(t.idle-before.idle)/float64(t.all-before.all))
}
