package clock

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call runs the code that replaces a function in this process, and returns the two
// numbers that it stores.
func call(t *testing.T, function string, shift time.Duration) (out [2]int64) {
	t.Helper()
	a, err := thisArchitecture()
	must(t, err)
	seconds, rest := floor(shift)
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	must(t, err)
	defer unix.Munmap(page)
	copy(page[256:], a.functions[function](seconds, rest))
	trampoline(page, function, &out)
	entry := unsafe.Pointer(&page[0])
	fn := unsafe.Pointer(&entry)
	(*(*func())(unsafe.Pointer(&fn)))()
	return out
}
