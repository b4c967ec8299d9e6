package clock

import (
	"encoding/binary"
	"time"
)

// The x86-64 code, AMD64 Architecture Programmer's Manual, volume 3. It is called
// as a C function: arguments in rdi and rsi, and rax, rcx, rdx and r11 are free.

func amd64ClockGettime(seconds, nanoseconds int64) []byte {
	add := amd64Add(0x0e, 0x4e, seconds, nanoseconds, int64(time.Second)) // to rsi
	return join(
		[]byte{0xf3, 0x0f, 0x1e, 0xfa},   // endbr64
		[]byte{0xb8, 228, 0, 0, 0},       // mov eax, clock_gettime
		[]byte{0x0f, 0x05},               // syscall
		[]byte{0x85, 0xc0},               // test eax, eax
		[]byte{0x75, 9 + byte(len(add))}, // jnz end
		[]byte{0x85, 0xff},               // test edi, edi: CLOCK_REALTIME
		[]byte{0x74, 5},                  // jz add
		[]byte{0x83, 0xff, 5},            // cmp edi, CLOCK_REALTIME_COARSE
		[]byte{0x75, byte(len(add))},     // jne end
		add,
		[]byte{0xc3}, // end: ret
	)
}

// amd64Decode reads the shift from the code of amd64ClockGettime.
func amd64Decode(code []byte) time.Duration {
	const add = 24 // where amd64Add begins
	if len(code) < add+20 {
		return 0
	}
	seconds, part := binary.LittleEndian.Uint64(code[add+2:]), binary.LittleEndian.Uint32(code[add+16:])
	return time.Duration(seconds)*time.Second + time.Duration(part)
}

func amd64Gettimeofday(seconds, nanoseconds int64) []byte {
	add := amd64Add(0x0f, 0x4f, seconds, nanoseconds/1000, int64(time.Second/time.Microsecond)) // to rdi
	return join(
		[]byte{0xf3, 0x0f, 0x1e, 0xfa},   // endbr64
		[]byte{0xb8, 96, 0, 0, 0},        // mov eax, gettimeofday
		[]byte{0x0f, 0x05},               // syscall
		[]byte{0x85, 0xc0},               // test eax, eax
		[]byte{0x75, 5 + byte(len(add))}, // jnz end
		[]byte{0x48, 0x85, 0xff},         // test rdi, rdi: 0 if only the time zone is asked for
		[]byte{0x74, byte(len(add))},     // jz end
		add,
		[]byte{0xc3}, // end: ret
	)
}

// amd64Add adds seconds, and a part of a second of which full make one, to the
// two numbers that a register points to; first and second name it in the
// encoding. It is shorter than a short jump reaches.
func amd64Add(first, second byte, seconds, part, full int64) []byte {
	return join(
		[]byte{0x48, 0xb9}, number(seconds), // mov rcx, seconds
		[]byte{0x48, 0x01, first},                  // add [reg], rcx
		[]byte{0x48, 0xc7, 0xc1}, number(part)[:4], // mov rcx, part
		[]byte{0x48, 0x03, second, 8},              // add rcx, [reg+8]
		[]byte{0x48, 0x81, 0xf9}, number(full)[:4], // cmp rcx, full
		[]byte{0x7c, 10},                           // jl store
		[]byte{0x48, 0x81, 0xe9}, number(full)[:4], // sub rcx, full
		[]byte{0x48, 0xff, first &^ 0x08}, // inc [reg]
		[]byte{0x48, 0x89, second, 8},     // store: mov [reg+8], rcx
	)
}

// amd64Time shifts by whole seconds: that is all it tells. The function is short,
// so the seconds have 32 bits.
func amd64Time(seconds, _ int64) []byte {
	return join(
		[]byte{0xf3, 0x0f, 0x1e, 0xfa},          // endbr64
		[]byte{0xb8, 201, 0, 0, 0},              // mov eax, time
		[]byte{0x0f, 0x05},                      // syscall, which also stores at rdi
		[]byte{0x48, 0x05}, number(seconds)[:4], // add rax, seconds
		[]byte{0x48, 0x85, 0xff}, // test rdi, rdi
		[]byte{0x74, 3},          // jz end
		[]byte{0x48, 0x89, 0x07}, // mov [rdi], rax
		[]byte{0xc3},             // end: ret
	)
}
