package clock

import "unsafe"

// trampoline writes code that calls the function at page[256] as C would, with
// out as the place for its answer. Go functions without arguments may use all
// registers but rsp, rbp and r14; only the code under test runs in between.
func trampoline(page []byte, function string, out *[2]int64) {
	at := number(int64(uintptr(unsafe.Pointer(out))))
	target := number(int64(uintptr(unsafe.Pointer(&page[256]))))
	first := join([]byte{0x48, 0xbf}, at, []byte{0x31, 0xf6}) // mov rdi, out; xor esi, esi
	if function == "__vdso_clock_gettime" {
		first = join([]byte{0x31, 0xff, 0x48, 0xbe}, at) // xor edi, edi; mov rsi, out
	}
	copy(page, join(first, []byte{0x48, 0xb8}, target, []byte{0xff, 0xd0, 0x45, 0x0f, 0x57, 0xff, 0xc3})) // mov rax, target; call rax; xorps xmm15, xmm15; ret
}
