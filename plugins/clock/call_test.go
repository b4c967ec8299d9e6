package clock

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// call runs the code that replaces a function in this process, for CLOCK_REALTIME
// if it takes a clock, and returns the two numbers that it stores.
func call(t *testing.T, function string, code []byte) (out [2]int64) {
	t.Helper()
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	faulttest.Must(t, err)
	defer unix.Munmap(page)
	copy(page[256:], code)
	trampoline(page, function, &out)
	faulttest.Must(t, unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)) // from here on the processor sees what was written
	entry := unsafe.Pointer(&page[0])
	fn := unsafe.Pointer(&entry)
	(*(*func())(unsafe.Pointer(&fn)))()
	return out
}
