// Package pressure reads how long programs waited for want of a resource:
// pressure stall information, Documentation/accounting/psi in the kernel.
package pressure

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Host is the folder with the files of the whole host: cpu, memory and io.
const Host = "/proc/pressure"

// Stall says how long some program, at least one, waited.
type Stall struct {
	Avg10 float64       // share of the last 10 s, in %
	Total time.Duration // since boot, or since the group was made
}

// Read reads a file; ok is false where the kernel does not count (psi=0).
func Read(path string) (s Stall, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return s, false
	}
	return parse(string(b))
}

// parse reads "some avg10=1.50 … total=4711", the last in µs.
func parse(text string) (s Stall, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 || fields[0] != "some" {
		return s, false
	}
	for _, f := range fields[1:] {
		switch name, value, _ := strings.Cut(f, "="); name {
		case "avg10":
			share, err := strconv.ParseFloat(value, 64)
			s.Avg10, ok = share, err == nil
		case "total":
			us, _ := strconv.ParseInt(value, 10, 64)
			s.Total = time.Duration(us) * time.Microsecond
		}
	}
	return s, ok
}
