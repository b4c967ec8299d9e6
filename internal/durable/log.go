package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Log is an append-only file. Its blocks can be allocated ahead with Reserve,
// so that a record that must be written can be written on a full disk.
type Log struct {
	f        *os.File
	size     int64
	reserved int64 // file offset up to which blocks are allocated
}

// OpenLog opens or creates the log at path and returns what is in it.
func OpenLog(path string) (*Log, []byte, error) {
	_, statErr := os.Stat(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, unix.EROFS) {
		// As after an error of the disk: what is in it counts, each write will fail.
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open log: %w", err)
	}
	content, err := io.ReadAll(f)
	if err == nil && errors.Is(statErr, os.ErrNotExist) {
		err = SyncDir(filepath.Dir(path))
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("open log %s: %w", path, err)
	}
	size := int64(len(content))
	return &Log{f: f, size: size, reserved: size}, content, nil
}

// Size is the offset of the next Append, in bytes.
func (l *Log) Size() int64 { return l.size }

// Reserve allocates blocks for n more bytes without changing the file's size
// (fallocate(2), FALLOC_FL_KEEP_SIZE). A file system that can't is left as it is.
func (l *Log) Reserve(n int64) error {
	end := l.size + n
	if end <= l.reserved {
		return nil
	}
	err := unix.Fallocate(int(l.f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, end)
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("reserve %d bytes of log %s: %w", n, l.f.Name(), err)
	}
	l.reserved = end
	return nil
}

// Append writes b at the end and makes it durable (fdatasync(2)). When the
// write succeeds and the sync fails, b counts as written: a later reader may
// find it.
func (l *Log) Append(b []byte) error {
	if n, err := l.f.WriteAt(b, l.size); err != nil {
		if n > 0 && l.f.Truncate(l.size) == nil {
			l.reserved = l.size
		}
		return fmt.Errorf("append to log: %w", err)
	}
	l.size += int64(len(b))
	return l.sync()
}

// Overwrite replaces what is at off, inside the log, and makes it durable. It
// needs no disk space.
func (l *Log) Overwrite(off int64, b []byte) error {
	if off < 0 || off+int64(len(b)) > l.size {
		return fmt.Errorf("overwrite log %s: %d bytes at %d lie outside of its %d", l.f.Name(), len(b), off, l.size)
	}
	if _, err := l.f.WriteAt(b, off); err != nil {
		return fmt.Errorf("overwrite log: %w", err)
	}
	return l.sync()
}

func (l *Log) sync() error {
	if err := unix.Fdatasync(int(l.f.Fd())); err != nil {
		return fmt.Errorf("sync log %s: %w", l.f.Name(), err)
	}
	return nil
}

// Close closes the file; what was appended is durable already.
func (l *Log) Close() error { return l.f.Close() }
