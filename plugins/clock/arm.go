package clock

import (
	"encoding/binary"
	"time"
)

// The arm64 code, Arm Architecture Reference Manual for A-profile. It is called as
// a C function: arguments in x0 and x1, and x8 to x15 are free.
const (
	bti = 0xd503245f // bti c: a place to jump to
	svc = 0xd4000001
	ret = 0xd65f03c0
)

func arm64ClockGettime(seconds, nanoseconds int64) []byte {
	add := arm64Add(1, seconds, nanoseconds, int64(time.Second))
	return words(bti,
		0x2a0003e9,        // mov w9, w0
		0xd2800008|113<<5, // mov x8, clock_gettime
		svc,
		0x35000000|(4+arm64AddEnd)<<5, // cbnz w0, end
		0x34000009|3<<5,               // cbz w9, add: CLOCK_REALTIME
		0x7100153f,                    // cmp w9, CLOCK_REALTIME_COARSE
		0x54000001|(1+arm64AddEnd)<<5, // b.ne end
		add)
}

func arm64Gettimeofday(seconds, nanoseconds int64) []byte {
	add := arm64Add(9, seconds, nanoseconds/1000, int64(time.Second/time.Microsecond))
	return words(bti,
		0xaa0003e9,        // mov x9, x0
		0xd2800008|169<<5, // mov x8, gettimeofday
		svc,
		0x35000000|(2+arm64AddEnd)<<5, // cbnz w0, end
		0xb4000009|(1+arm64AddEnd)<<5, // cbz x9, end: only the time zone is asked for
		add)
}

// arm64AddEnd is the place of the ret in arm64Add, in instructions.
const arm64AddEnd = 13

// arm64Add adds seconds, and a part of a second of which full make one, to the
// two numbers that register reg points to, and returns. The numbers lie behind.
func arm64Add(reg uint32, seconds, part, full int64) []byte {
	const numbers = arm64AddEnd + 1
	at := reg << 5
	return words(
		uint32(0x5800000a|(numbers-0)<<5), // ldr x10, seconds
		uint32(0x5800000b|(numbers+1)<<5), // ldr x11, part
		uint32(0x5800000c|(numbers+2)<<5), // ldr x12, full
		0xf940000d|at,                     // ldr x13, [reg]
		0xf940040e|at,                     // ldr x14, [reg, 8]
		0x8b0a01ad,                        // add x13, x13, x10
		0x8b0b01ce,                        // add x14, x14, x11
		0xeb0c01df,                        // cmp x14, x12
		0x5400000b|3<<5,                   // b.lt store
		0xcb0c01ce,                        // sub x14, x14, x12
		0x910005ad,                        // add x13, x13, 1
		0xf900000d|at,                     // store: str x13, [reg]
		0xf900040e|at,                     // str x14, [reg, 8]
		ret,                               // end
		number(seconds), number(part), number(full))
}

// arm64Decode reads the shift from the code of arm64ClockGettime.
func arm64Decode(code []byte) time.Duration {
	const numbers = 4 * (8 + arm64AddEnd + 1)
	if len(code) < numbers+16 {
		return 0
	}
	return time.Duration(binary.LittleEndian.Uint64(code[numbers:]))*time.Second + time.Duration(binary.LittleEndian.Uint64(code[numbers+8:]))
}

// words puts instructions and data behind each other.
func words(parts ...any) (out []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = binary.LittleEndian.AppendUint32(out, uint32(p))
		case uint32:
			out = binary.LittleEndian.AppendUint32(out, p)
		case []byte:
			out = append(out, p...)
		}
	}
	return out
}
