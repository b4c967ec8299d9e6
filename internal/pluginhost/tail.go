package pluginhost

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// tail reads a file that another process writes to, until that has ended. It
// sleeps in inotify(7) meanwhile: an idle plugin costs no wake-ups.
type tail struct {
	write  *os.File
	read   *os.File
	events *os.File
	ended  atomic.Bool
}

func newTail(path string) (*tail, error) {
	t := &tail{}
	var err error
	if t.write, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("create plugin output: %w", err)
	}
	if t.read, err = os.Open(path); err != nil {
		return nil, errors.Join(fmt.Errorf("open plugin output: %w", err), t.Close())
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watch plugin output: %w", err), t.Close())
	}
	t.events = os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		return nil, errors.Join(fmt.Errorf("watch plugin output: %w", err), t.Close())
	}
	return t, nil
}

// Read blocks until there is something new; io.EOF after the writer's end.
func (t *tail) Read(p []byte) (int, error) {
	var event [4096]byte
	for {
		ended := t.ended.Load()
		n, err := t.read.Read(p)
		if n > 0 || err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if ended {
			_ = t.Close()
			return 0, io.EOF
		}
		// The watch is older than the writer, so no write goes unnoticed. An
		// error means end was called.
		_, _ = t.events.Read(event[:])
	}
}

// started says that the writer has its own descriptor.
func (t *tail) started() { _ = t.write.Close() }

// end says that the writer has ended.
func (t *tail) end() {
	t.ended.Store(true)
	_ = t.events.Close()
}

// Close releases everything.
func (t *tail) Close() error {
	for _, f := range []*os.File{t.write, t.read, t.events} {
		if f != nil {
			_ = f.Close() // nothing of ours was written through them
		}
	}
	return nil
}
