package diskfill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// slack is how far above the floor the free space may be, as a share of the file
// system: what others give back between two renewals.
const slack = 0.005

// Observe implements fault.Plugin. Present means that the file is there and holds
// space; exercised, that the file system says that no more than the floor is free
// (with size: that the file has it), or with reserve that root is refused a block.
func (Plugin) Observe(_ context.Context, _ fault.Target, c Change) (fault.Observation, error) {
	o := fault.Observation{State: fault.Absent, Dose: fault.NotInForce}
	if c.Size > 0 {
		o.Asked = append(o.Asked, bytes("space taken", c.Size))
	} else {
		o.Asked = append(o.Asked, bytes("space free", c.Leave))
	}
	if err := c.FileSystem.Check(); err != nil {
		return o, err
	}
	taken, err := c.taken()
	if err != nil {
		return o, err
	}
	s, err := c.FileSystem.Space()
	if err != nil {
		return o, err
	}
	free := available(s)
	o.Achieved = []fault.Measure{bytes("space free", free), bytes("space taken", taken), bytes("reserve of root", reserved(s))}
	o.Detail = fmt.Sprintf("%s has %s free for ordinary users and %s more for root; the file holds %s", c.FileSystem.Mount, filesystem.Size(free), filesystem.Size(reserved(s)), filesystem.Size(taken))
	if taken == 0 {
		return o, nil
	}
	o.State, o.Dose = fault.Present, fault.InForce
	near := uint64(slack * float64(s.Blocks*uint64(s.Frsize)))
	switch {
	case c.Size > 0:
		if taken+uint64(s.Frsize) >= c.Size {
			o.Dose = fault.Exercised
		}
	case c.Reserve:
		if c.refused(int64(s.Frsize)) {
			o.Dose = fault.Exercised
		}
	case free <= c.Leave+near:
		o.Dose = fault.Exercised
	}
	return o, nil
}

// taken is the space that the file holds on disk, if it is ours.
func (c Change) taken() (uint64, error) {
	f, err := os.OpenFile(c.file(), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ELOOP) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	if err := c.ours(f); err != nil {
		return 0, nil // somebody else's
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, fmt.Errorf("read size of file: %w", err)
	}
	return uint64(st.Blocks) * 512, nil
}

// refused is the canary: whether a file without a name is refused the space of a
// few blocks. It goes when it is closed.
func (c Change) refused(block int64) bool {
	f, err := os.OpenFile(c.FileSystem.Path, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		return errors.Is(err, unix.ENOSPC)
	}
	defer f.Close()
	return errors.Is(unix.Fallocate(int(f.Fd()), 0, 0, 4*block), unix.ENOSPC)
}

func bytes(name string, n uint64) fault.Measure {
	return fault.Measure{Name: name, Value: float64(n), Unit: "bytes"}
}
