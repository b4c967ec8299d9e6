package digest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Roots says where the kernel's trees are; tests give others. Empty fields mean
// /proc and /sys.
type Roots struct {
	Proc, Sys string
}

func (r Roots) orReal() Roots {
	if r.Proc == "" {
		r.Proc = "/proc"
	}
	if r.Sys == "" {
		r.Sys = "/sys"
	}
	return r
}

// readTrimmed reads a small kernel file; ok is false if there is none, or if
// the object it belongs to went away meanwhile.
func readTrimmed(parts ...string) (text string, ok bool) {
	b, err := os.ReadFile(filepath.Join(parts...))
	return strings.TrimSpace(string(b)), err == nil
}

// vanished says that err means only that an object ended while we looked.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV)
}
