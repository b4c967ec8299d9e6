package digesttest

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// Name is a name, new each time, for what a test makes on the machine outside of
// labs and of namespaces of its own, such as a control group, or the image of a
// loop device: it tells other test binaries whose it is, and that its owner lives.
func Name() string { return fmt.Sprintf("%s-%d", owner(), names.Add(1)) }

var names atomic.Uint32

var owner = sync.OnceValue(func() string {
	start, err := proc.StartTime(os.Getpid())
	if err != nil {
		panic(err) // there is no /proc
	}
	return fmt.Sprintf("firedrill-test-%d-%d", os.Getpid(), start)
})

var nameForm = regexp.MustCompile(`firedrill-test-(\d+)-(\d+)`)

// ownerOf finds the owner that the name of an object in a line says.
func ownerOf(line string) (pid int, start uint64, ok bool) {
	found := nameForm.FindStringSubmatch(line)
	if found == nil {
		return 0, 0, false
	}
	pid, err := strconv.Atoi(found[1])
	start, err2 := strconv.ParseUint(found[2], 10, 64)
	return pid, start, err == nil && err2 == nil
}
