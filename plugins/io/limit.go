package io

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// The files of both versions: Documentation/admin-guide/cgroup-v1/blkio-controller
// and cgroup-v2 in the kernel.
const (
	v1Bytes = "blkio.throttle."
	v2File  = "io.max"
)

// kind is one of the four limits.
type kind struct {
	what, v1, v2 string
	directive    string // systemd.resource-control(5)
	unit         string
}

var kinds = []kind{
	{"read", "read_bps_device", "rbps", "IOReadBandwidthMax", "bytes/s"},
	{"write", "write_bps_device", "wbps", "IOWriteBandwidthMax", "bytes/s"},
	{"read_ops", "read_iops_device", "riops", "IOReadIOPSMax", "operations/s"},
	{"write_ops", "write_iops_device", "wiops", "IOWriteIOPSMax", "operations/s"},
}

func (k kind) limit(v2 bool, n uint64) Limit {
	l := Limit{What: k.what, File: v1Bytes + k.v1, After: fmt.Sprint(n)}
	if v2 {
		l.File, l.Key = v2File, k.v2
	}
	return l
}

// v2 says that the group is one of cgroup v2.
func (c Change) v2() bool { return c.Group.V2() }

// directives are the limits in systemd's words.
func (c Change) directives() (lines []string) {
	for _, l := range c.Limits {
		for _, k := range kinds {
			if k.what == l.What {
				lines = append(lines, fmt.Sprintf("%s=/dev/block/%s %s", k.directive, c.Device, l.After))
			}
		}
	}
	return lines
}

// file is one of the files as a setting.
func (c Change) file(l Limit) group.Setting { return group.Setting{Group: c.Group, File: l.File} }

// before is read for a group that has no limits yet, too.
func (c Change) before(t fault.Target, l Limit) (string, error) {
	if c.HandDown != nil && !c.Group.Has(v2File) {
		return "max", nil
	}
	return c.read(t, l)
}

// read returns the limit as it stands; fault.ErrGone if the group is another one.
func (c Change) read(t fault.Target, l Limit) (string, error) {
	text, err := c.file(l).Now(t)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != c.Device {
			continue
		}
		if l.Key == "" {
			return words[1], nil
		}
		for _, w := range words[1:] {
			if value, ok := strings.CutPrefix(w, l.Key+"="); ok {
				return value, nil
			}
		}
	}
	if l.Key != "" {
		return "max", nil
	}
	return "0", nil // which takes the line away, too
}

// write sets this limit of this device and no other.
func (c Change) write(l Limit, value string) error {
	if l.Key != "" {
		value = l.Key + "=" + value
	}
	return c.Group.Write(l.File, c.Device+" "+value)
}

// Apply implements fault.Plugin. It looks at all limits before it sets one.
func (Plugin) Apply(_ context.Context, t fault.Target, c Change, _, _ fault.BootTime) error {
	if err := c.HandDown.ApplyBy(t, c.file(c.Limits[0]), func() error { return c.set(t) }, func() bool { return c.holds(t) }); err != nil {
		return err
	}
	return c.Keep.Apply()
}

func (c Change) holds(t fault.Target) bool {
	for _, l := range c.Limits {
		if now, err := c.read(t, l); err != nil || now != l.After {
			return false
		}
	}
	return true
}

func (c Change) set(t fault.Target) error {
	var todo []Limit
	for _, l := range c.Limits {
		switch now, err := c.read(t, l); {
		case err != nil:
			return err
		case now == l.After: // again, or a renewal
		case now != l.Before:
			return fmt.Errorf("%w: %s of %s is %s for %s, it was %s", fault.ErrChanged, l.What, c.Group.Path, now, c.Name, l.Before)
		default:
			todo = append(todo, l)
		}
	}
	if len(todo) == 0 {
		return nil
	}
	if err := c.Group.Spared(""); err != nil {
		return err
	}
	for i, l := range todo {
		err := c.write(l, l.After)
		if err == nil {
			continue
		}
		for _, done := range todo[:i] {
			err = errors.Join(err, c.write(done, done.Before))
		}
		return err
	}
	return nil
}

// Revert implements fault.Plugin. A limit that somebody else set is left; the
// others are put back all the same.
func (Plugin) Revert(_ context.Context, t fault.Target, c Change) error {
	return c.Keep.Revert(func() error {
		err := c.HandDown.RevertBy(t, c.file(c.Limits[0]), func() error { return c.putBack(t) })
		if errors.Is(err, fault.ErrGone) && c.Keep.There() {
			err = errors.Join(err, c.freeSuccessor())
		}
		return err
	})
}

// freeSuccessor takes the limits from the group of a service that was started anew
// under the fault: it has them from what keeps them, and systemd leaves a device's
// limit as it is when it is told no more of that device. What the service has of its
// own systemd writes again.
func (c Change) freeSuccessor() (err error) {
	if c.Group.Inode, err = cgroup.Inode(c.Group.Dir()); err != nil {
		return nil // the service is down
	}
	var errs []error
	for _, l := range c.Limits {
		if now, err := c.read(fault.Target{}, l); err == nil && now == l.After && l.Key != "" {
			errs = append(errs, c.write(l, "max"))
		}
	}
	return errors.Join(errs...)
}

func (c Change) putBack(t fault.Target) error {
	var errs []error
	for _, l := range c.Limits {
		switch now, err := c.read(t, l); {
		case err != nil:
			return err
		case now == l.Before: // never applied, or reverted before
		case now != l.After:
			errs = append(errs, fmt.Errorf("%w: %s of %s is %s for %s, ours was %s and before it %s", fault.ErrStuck, l.What, c.Group.Path, now, c.Name, l.After, l.Before))
		default:
			errs = append(errs, c.write(l, l.Before))
		}
	}
	return errors.Join(errs...)
}

// wholeDevice finds the block device that is meant: limits are those of whole
// devices, and of a folder it is the one that holds its file system.
func wholeDevice(path string) (number, name string, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", "", fault.Refuse("device", "%s: %v; name a block device, or a folder on one", path, err)
	}
	rdev := st.Dev
	isDevice := st.Mode&unix.S_IFMT == unix.S_IFBLK
	if isDevice {
		rdev = st.Rdev
	}
	number = fmt.Sprintf("%d:%d", unix.Major(rdev), unix.Minor(rdev))
	dir, err := filepath.EvalSymlinks("/sys/dev/block/" + number)
	if err != nil {
		return "", "", fault.Refuse("device", "%s is on no block device (%s); name one, such as /dev/nvme0n1", path, number)
	}
	if _, err := os.Stat(filepath.Join(dir, "partition")); err != nil {
		return number, filepath.Base(dir), nil
	}
	dir = filepath.Dir(dir)
	if isDevice {
		return "", "", fault.Refuse("device", "%s is a partition, and the kernel limits whole devices: name /dev/%s", path, filepath.Base(dir))
	}
	b, err := os.ReadFile(filepath.Join(dir, "dev"))
	if err != nil {
		return "", "", fmt.Errorf("find device of %s: %w", path, err)
	}
	return strings.TrimSpace(string(b)), filepath.Base(dir), nil
}
