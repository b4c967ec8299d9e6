package diskfill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// step is how much is taken with one call: between them the floor is looked at
// and a start that is called off ends.
const step = 4 << 30

// file is where the file is.
func (c Change) file() string { return filepath.Join(c.FileSystem.Path, "."+c.Mark) }

// Apply implements fault.Plugin. Applied again it goes on where it was, and takes
// what became free meanwhile.
func (Plugin) Apply(ctx context.Context, _ fault.Target, c Change, _, _ fault.BootTime) error {
	if err := c.FileSystem.Check(); err != nil {
		return err
	}
	f, err := os.OpenFile(c.file(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	defer f.Close()
	if err := c.ours(f); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(c.Mark), 0); err != nil {
		return fmt.Errorf("mark file: %w", err)
	}
	return c.fill(ctx, f)
}

// fill takes space until the floor is reached. A file system may need some of the
// space for its own tables: then less is asked for.
func (c Change) fill(ctx context.Context, f *os.File) error {
	for most := int64(step); ; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("fill %s: %w", c.FileSystem.Mount, err)
		}
		st, err := f.Stat()
		if err != nil {
			return fmt.Errorf("read size of file: %w", err)
		}
		need, block, err := c.missing(st.Size())
		if need = min(need, most); err != nil || need < block {
			return err
		}
		err = unix.Fallocate(int(f.Fd()), 0, st.Size(), need)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT):
			most = need / 2
		case errors.Is(err, unix.EFBIG):
			return fmt.Errorf("fill %s: a file may be no larger than %d bytes there; take less: %w", c.FileSystem.Mount, st.Size(), err)
		case err != nil:
			return fmt.Errorf("fill %s: %w", c.FileSystem.Mount, err)
		}
	}
}

// missing is how much is still to be taken, in whole blocks.
func (c Change) missing(taken int64) (bytes, block int64, err error) {
	s, err := c.FileSystem.Space()
	if err != nil {
		return 0, 1, err
	}
	block = int64(s.Frsize)
	bytes = int64(available(s)) - int64(c.Leave)
	if c.Reserve {
		bytes = int64(s.Bfree) * block
	}
	if c.Size > 0 {
		bytes = min(bytes, int64(c.Size)-taken)
	}
	return bytes / block * block, block, nil
}

// ours returns fault.ErrStuck if the open file is another one than ours: it has
// our name by chance or by somebody's doing. One that was just made is empty.
func (c Change) ours(f *os.File) error {
	b := make([]byte, len(c.Mark))
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read mark of file: %w", err)
	}
	if n > 0 && string(b[:n]) != c.Mark {
		return fmt.Errorf("%w: %s is not the file that was made", fault.ErrStuck, c.file())
	}
	return nil
}

// Revert implements fault.Plugin. It needs no free space: the space is given back
// before the name goes, also where the file has got other names or readers.
func (Plugin) Revert(_ context.Context, _ fault.Target, c Change) error {
	f, err := os.OpenFile(c.file(), os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return c.FileSystem.Check() // nothing to remove: here, or because it is elsewhere now
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: %s is no file any more", fault.ErrStuck, c.file())
	case err != nil:
		return fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	if err := c.ours(f); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(c.Mark))); err != nil {
		return fmt.Errorf("give space back: %w", err)
	}
	opened, err1 := f.Stat()
	named, err2 := os.Lstat(c.file())
	if errors.Is(err2, fs.ErrNotExist) || err1 == nil && err2 == nil && !os.SameFile(opened, named) {
		return nil // renamed or replaced this very moment: the space is back, and theirs stays
	}
	if err := errors.Join(err1, err2, os.Remove(c.file())); err != nil {
		return fmt.Errorf("remove file: %w", err)
	}
	return nil
}
