package clock

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// architecture is how the functions of the vDSO are replaced: by code that asks
// the kernel (it never changes) and adds an offset to what it answers.
type architecture struct {
	machine   elf.Machine
	clock     string // the function that tells the most exact time
	decode    func(code []byte) time.Duration
	functions map[string]func(seconds, nanoseconds int64) []byte
}

var architectures = map[string]architecture{
	"amd64": {elf.EM_X86_64, "__vdso_clock_gettime", amd64Decode, map[string]func(s, ns int64) []byte{
		"__vdso_clock_gettime": amd64ClockGettime,
		"__vdso_gettimeofday":  amd64Gettimeofday,
		"__vdso_time":          amd64Time,
	}},
	"arm64": {elf.EM_AARCH64, "__kernel_clock_gettime", arm64Decode, map[string]func(s, ns int64) []byte{
		"__kernel_clock_gettime": arm64ClockGettime,
		"__kernel_gettimeofday":  arm64Gettimeofday,
	}},
}

func thisArchitecture() (architecture, error) {
	a, ok := architectures[runtime.GOARCH]
	if !ok {
		return a, fmt.Errorf("%w: clocks can't be shifted on %s", fault.ErrUnsupported, runtime.GOARCH)
	}
	return a, nil
}

// replacement is the code of one site with the injection's tag behind it, which
// tells whose it is. fault.ErrUnsupported if the function has no room for it.
func (s Site) replacement(a architecture, offset time.Duration, tag [8]byte) ([]byte, error) {
	seconds, rest := floor(offset)
	code := append(a.functions[s.Symbol](seconds, rest), tag[:]...)
	if len(code) > len(s.Before) {
		return nil, fmt.Errorf("%w: %s of this kernel has %d bytes, %d are needed", fault.ErrUnsupported, s.Symbol, len(s.Before), len(code))
	}
	return code, nil
}

// floor splits d into seconds and 0 to 999,999,999 ns.
func floor(d time.Duration) (seconds, nanoseconds int64) {
	seconds, nanoseconds = int64(d/time.Second), int64(d%time.Second)
	if nanoseconds < 0 {
		seconds, nanoseconds = seconds-1, nanoseconds+int64(time.Second)
	}
	return seconds, nanoseconds
}

func number(n int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(n)) }

func join(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
