package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// most is how many files are made at most. Each takes 20 to 40 µs to make and again
// to remove, so that all of them are back within 8 s, and 30,000 within 1 s, which
// is what other faults take.
const most = 200_000

// hostFloor is what is left of a file system that the host itself needs.
const hostFloor = 10_000

// inodes is the record of what is done to a file system.
type inodes struct {
	FileSystem filesystem.FileSystem `json:"file_system"`
	Mark       string                `json:"mark"` // name of our folder
	Floor      uint64                `json:"floor"`
}

func prepareInodes(t fault.Target, p Params) (*inodes, error) {
	f, err := filesystem.Find("path", p.Path, t)
	if err != nil {
		return nil, err
	}
	if f.Type != "ext4" {
		return nil, fault.Refuse("path", "%s is %s; only ext4 has a number of inodes that can be taken: use diskfill", f.Mount, f.Type)
	}
	s, err := f.Space()
	if err != nil {
		return nil, err
	}
	if folder := f.HostFolder(); folder != "" && p.Leave < hostFloor {
		return nil, fault.Refuse("leave", "%s also carries %s, which the host itself needs: leave %d or more, or name a file system of the service alone", f.Mount, folder, hostFloor)
	}
	leave := uint64(p.Leave)
	if s.Ffree <= leave+1 { // one is for the folder
		return nil, fault.Refuse("leave", "%s has only %d inodes free already; leave less", f.Mount, s.Ffree)
	}
	if s.Ffree-leave > most {
		return nil, fault.Refuse("leave", "%s has %d inodes free, and no more than %d are taken, which is a matter of seconds: leave %d or more, or name a smaller file system", f.Mount, s.Ffree, most, s.Ffree-most)
	}
	return &inodes{FileSystem: f, Mark: ".firedrill-" + rand.Text(), Floor: leave}, nil
}

func (d *inodes) folder() string { return filepath.Join(d.FileSystem.Path, d.Mark) }

// apply makes files until no more than the floor is free. Applied again it goes on
// where it was.
func (d *inodes) apply(ctx context.Context, _ fault.Target) error {
	if err := d.FileSystem.Check(); err != nil {
		return err
	}
	if err := os.Mkdir(d.folder(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder: %w", err)
	}
	dir, err := unix.Open(d.folder(), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open folder: %w", err)
	}
	defer unix.Close(dir)
	for n := 0; n < 2*most; {
		s, err := d.FileSystem.Space()
		if err != nil {
			return err
		}
		if s.Ffree <= d.Floor {
			return nil
		}
		for end := n + int(min(s.Ffree-d.Floor, 1000)); n < end; n++ {
			err := unix.Mknodat(dir, strconv.Itoa(n), unix.S_IFREG|0o600, 0)
			if errors.Is(err, unix.ENOSPC) {
				return nil // no inode, or no space for the folder's list of names: Observe tells
			}
			if err != nil && !errors.Is(err, unix.EEXIST) {
				return fmt.Errorf("make file: %w", err)
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("take inodes of %s: %w", d.FileSystem.Mount, err)
		}
	}
	return nil
}

// revert removes our empty files and the folder. What somebody else put there
// stays, and the folder with it.
func (d *inodes) revert(fault.Target) error {
	dir, err := os.OpenFile(d.folder(), os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.FileSystem.Check() // nothing to remove: here, or because it is elsewhere now
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: %s is no folder any more", fault.ErrStuck, d.folder())
	case err != nil:
		return fmt.Errorf("open folder: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	for _, name := range names {
		var st unix.Stat_t
		if _, err := strconv.Atoi(name); err != nil || unix.Fstatat(int(dir.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > 0 {
			continue
		}
		if err := unix.Unlinkat(int(dir.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("remove file: %w", err)
		}
	}
	err = unix.Rmdir(d.folder())
	if errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("%w: %s holds files of somebody else", fault.ErrStuck, d.folder())
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove folder: %w", err)
	}
	return nil
}

func (d *inodes) observe(_ fault.Target, leave int, o *fault.Observation) error {
	o.Asked = []fault.Measure{count("inodes free", leave)}
	if err := d.FileSystem.Check(); err != nil {
		return err
	}
	s, err := d.FileSystem.Space()
	if err != nil {
		return err
	}
	o.Achieved = []fault.Measure{count("inodes free", int(s.Ffree))}
	o.Detail = fmt.Sprintf("%s has %d inodes free of %d", d.FileSystem.Mount, s.Ffree, s.Files)
	if _, err := os.Lstat(d.folder()); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("find folder: %w", err)
	}
	o.State = fault.Partial
	if s.Ffree <= d.Floor {
		o.State, o.Dose = fault.Present, fault.Exercised
	} else if s.Ffree <= d.Floor+s.Files/100 {
		o.State, o.Dose = fault.Present, fault.InForce // others removed files meanwhile
	}
	return nil
}
