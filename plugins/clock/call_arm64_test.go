package clock

import "unsafe"

// trampoline writes code that calls the function at page[256] as C would, with
// out as the place for its answer.
func trampoline(page []byte, function string, out *[2]int64) {
	at := number(int64(uintptr(unsafe.Pointer(out))))
	target := number(int64(uintptr(unsafe.Pointer(&page[256]))))
	first, second := 0x58000000, 0xd2800001 // ldr x0, out; mov x1, 0
	if function == "__kernel_clock_gettime" {
		first, second = 0x58000001, 0xd2800000 // ldr x1, out; mov x0, 0
	}
	copy(page, words(
		0xa9bf7bfd, // stp x29, x30, [sp, -16]!
		first|7<<5, // out lies 7 instructions on
		second,
		0x58000010|7<<5, // ldr x16, target
		0xd63f0200,      // blr x16
		0xa8c17bfd,      // ldp x29, x30, [sp], 16
		ret, ret,
		at, target))
}
