package digest

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
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
	b, err := readKernelFile(filepath.Join(parts...))
	return strings.TrimSpace(string(b)), err == nil
}

// readKernelFile is os.ReadFile without what only other files need: to ask for
// their size and whether they can be waited for. A listing reads thousands.
func readKernelFile(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var text []byte
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return text, nil
		default:
			text = append(text, buf[:n]...)
		}
	}
}

// vanished says that err means only that an object ended while we looked.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.ENODEV)
}
