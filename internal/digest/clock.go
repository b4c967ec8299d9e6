package digest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clockPrefix starts the line that holds the offset of the wall clock from the
// clock that no one can set.
const clockPrefix = "clock realtime-minus-boottime="

// clockTolerance is above what NTP slews in a run (at most 500 ppm) and below
// any step a clock fault would make.
const clockTolerance = 500 * time.Millisecond

// clock adds the offset of the wall clock, with the boot that it counts from, and
// that of the time namespace.
func (l *listing) clock(proc string) error {
	var wall, boot unix.Timespec
	if err := errors.Join(unix.ClockGettime(unix.CLOCK_REALTIME, &wall), unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot)); err != nil {
		return fmt.Errorf("read clocks: %w", err)
	}
	id, _ := readTrimmed(proc, "sys", "kernel", "random", "boot_id")
	l.add(offset{time.Duration(wall.Nano() - boot.Nano()), id}.String())
	if text, ok := readTrimmed(proc, "self", "timens_offsets"); ok {
		l.add("clock", "namespace="+strings.Join(strings.Fields(text), ","))
	}
	return nil
}

// offset is what the wall clock was ahead of the clock that counts from a boot.
type offset struct {
	ahead time.Duration
	boot  string
}

func (o offset) String() string {
	return fmt.Sprintf("%s%dms boot=%s", clockPrefix, o.ahead.Milliseconds(), o.boot)
}

// diffClock compares within one boot: another begins to count anew.
func diffClock(before, after Digest) []string {
	b, okB := offsetOf(before)
	a, okA := offsetOf(after)
	if !okA || !okB || a.boot != b.boot || (a.ahead-b.ahead).Abs() <= clockTolerance {
		return nil
	}
	return []string{"- " + b.String(), "+ " + a.String()}
}

func offsetOf(d Digest) (offset, bool) {
	for _, line := range d.Lines {
		if s, ok := strings.CutPrefix(line, clockPrefix); ok {
			ms, boot, _ := strings.Cut(s, "ms boot=")
			n, err := strconv.ParseInt(ms, 10, 64)
			return offset{time.Duration(n) * time.Millisecond, boot}, err == nil
		}
	}
	return offset{}, false
}
