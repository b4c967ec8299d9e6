package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Mounted is a file system with all its mounts in the caller's namespace, so that
// it can be unmounted and mounted again as it was.
type Mounted struct {
	FileSystem
	Device string  `json:"device"` // as the kernel calls it: vdb1, loop7, dm-0
	Mounts []Mount `json:"mounts"` // in the order in which they lie on each other
	// Autoclear says that the loop device lets go of its image when unmounted.
	Autoclear bool `json:"autoclear,omitempty"`
}

// FindMounted finds the file system that is mounted at a path, or that is on the
// device at a path. It refuses, naming the parameter field, what Spared refuses and
// one whose mounts can't be brought back as they were.
func FindMounted(field, path string, t fault.Target) (m Mounted, err error) {
	all, err := Mounts("self")
	if err != nil {
		return m, err
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFBLK {
		i := slices.IndexFunc(all, func(m Mount) bool { return m.Dev == st.Rdev })
		if i < 0 {
			return m, fault.Refuse(field, "the device %s is not mounted; name one that is", path)
		}
		path = all[i].Point
	}
	if m.FileSystem, err = Find(field, path, t); err != nil {
		return m, err
	}
	if m.Path != m.Mount {
		return m, fault.Refuse(field, "%s is a folder of the file system at %s; name that if all of it is meant", path, m.Mount)
	}
	if err := m.Spared(field, t); err != nil {
		return m, err
	}
	m.Device = filepath.Base(link("/sys/dev/block", number(m.Dev)))
	m.Autoclear = autoclear(m.Device)
	m.Mounts = mountsOf(all, m.Dev)
	return m, m.returnable(field, all)
}

func mountsOf(all []Mount, dev uint64) []Mount {
	return slices.DeleteFunc(slices.Clone(all), func(m Mount) bool { return m.Dev != dev })
}

func number(dev uint64) string { return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)) }

func link(path ...string) string {
	to, _ := os.Readlink(filepath.Join(path...)) // "" names no device
	return to
}

// returnable refuses mounts that could not be made anew.
func (m Mounted) returnable(field string, all []Mount) error {
	for _, other := range all {
		on := slices.ContainsFunc(m.Mounts, func(own Mount) bool { return own.ID == other.Parent })
		if on && other.Dev != m.Dev {
			return fault.Refuse(field, "another file system is mounted on %s, at %s; unmount that first", m.Mount, other.Point)
		}
		for option := range strings.SplitSeq(other.Super, ",") {
			_, path, _ := strings.Cut(option, "dir=") // lowerdir, upperdir, workdir of an overlay
			for layer := range strings.SplitSeq(path, ":") {
				if filepath.IsAbs(layer) && other.Type == "overlay" && m.Carries(layer) {
					return fault.Refuse(field, "%s carries a layer of the overlay at %s; unmount that first", m.Mount, other.Point)
				}
			}
		}
	}
	for _, own := range m.Mounts {
		if own.Has("idmapped") {
			return fault.Refuse(field, "the mount at %s maps user ids, which can't be made anew", own.Point)
		}
	}
	images, _ := filepath.Glob("/sys/block/loop*/loop/backing_file") // the pattern is right
	for _, file := range images {
		if image := sysfs(file); image != "" && m.holds(image) {
			return fault.Refuse(field, "%s carries %s, the image of a loop device; detach that first", m.Mount, image)
		}
	}
	return nil
}

// holds says whether a file is on the file system.
func (m Mounted) holds(file string) bool {
	var st unix.Stat_t
	return unix.Stat(file, &st) == nil && st.Dev == m.Dev
}

// Same returns fault.ErrChanged if the mounts are not those of the record any more.
func (m Mounted) Same() error {
	now, err := m.now()
	if err != nil {
		return err
	}
	if !slices.EqualFunc(m.Mounts, now, sameMount) {
		return fmt.Errorf("%w: the mounts of %s are others now", fault.ErrChanged, m.Mount)
	}
	return nil
}

// now are the mounts of the file system that are there.
func (m Mounted) now() ([]Mount, error) {
	all, err := Mounts("self")
	return mountsOf(all, m.Dev), err
}

// sameMount compares what a mount is, not when it was made.
func sameMount(a, b Mount) bool {
	return a.Root == b.Root && a.Point == b.Point && a.Options == b.Options && a.Type == b.Type && a.Source == b.Source &&
		a.Super == b.Super && (a.tag("shared") > 0) == (b.tag("shared") > 0)
}

// Live says whether the file system is mounted and reaches its disk; held that the
// programs on it are held still, see IsShut.
func (m Mounted) Live(held bool) (bool, error) {
	now, err := m.now()
	return len(now) > 0 && !IsShut("self", m.Dev, m.Mount, held), err
}

// ShutDown cuts the file system off from its disk.
func (m Mounted) ShutDown() error {
	dir, err := os.Open(m.Mount)
	if errors.Is(err, unix.EIO) {
		return nil // xfs is like that when it is cut off already
	}
	if err != nil {
		return fmt.Errorf("open file system: %w", err)
	}
	defer dir.Close()
	if !m.holds(m.Mount) {
		return fmt.Errorf("%w: another file system is at %s", fault.ErrChanged, m.Mount)
	}
	return ShutDown(dir)
}

// Limits of the wait for the kernel to let go of a file system.
const (
	releaseLimit = 10 * time.Second // 207 ms is the slowest of 42 power cuts seen
	releasePoll  = 5 * time.Millisecond
)

// Unmount takes all mounts away and waits until the kernel has let go of the file
// system: until then whoever mounts the device gets the one that was cut off. One
// that is not mounted is no error.
func (m Mounted) Unmount() error {
	for end := time.Now().Add(releaseLimit); ; time.Sleep(releasePoll) {
		left, err := m.now()
		if err != nil {
			return err
		}
		if len(left) == 0 && m.released() {
			return nil
		}
		slices.Reverse(left) // the last one lies on top
		for _, mount := range left {
			err := unix.Unmount(mount.Point, unix.UMOUNT_NOFOLLOW)
			if err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EINVAL) {
				return fmt.Errorf("unmount %s: %w", mount.Point, err)
			}
		}
		if time.Now().After(end) {
			return m.stillHeld()
		}
	}
}

func (m Mounted) released() bool {
	_, err := os.Stat(filepath.Join("/sys/fs", m.Type, m.Device))
	return errors.Is(err, fs.ErrNotExist)
}

func nobody() (map[int]bool, error) { return nil, nil }

// stillHeld names who keeps the file system, as far as it can be known.
func (m Mounted) stillHeld() error {
	who, err := m.Holder(nobody)
	if err != nil || who == "" {
		who = "something that is no process"
	}
	return fmt.Errorf("unmount %s: %s holds the file system that was cut off; end it, then revert again", m.Mount, who)
}

// Keep has a loop device keep its image while the file system is unmounted; Remount
// undoes that.
func (m Mounted) Keep() error {
	if !m.Autoclear {
		return nil
	}
	return setAutoclear(m.Device, false)
}

// CanShut refuses, naming the parameter field, a file system that can't be cut off
// from its disk, or whose cutting off stops the host.
func (m Mounted) CanShut(field string) error {
	switch m.Type {
	case "ext4":
		// mountinfo hides what is the default of the file system itself.
		options := "\n" + sysfs("/proc/fs/ext4", m.Device, "options") + "\n"
		if strings.Contains(options, "\nerrors=panic\n") || m.Mounts[0].Has("errors=panic") {
			return fault.Refuse(field, "the host panics on errors of %s (errors=panic), and cutting it off is one; mount it with errors=remount-ro for the drill", m.Mount)
		}
	case "xfs":
		if mask := sysfs("/proc/sys/fs/xfs/panic_mask"); mask != "" && mask != "0" {
			return fault.Refuse(field, "the host panics on errors of %s (fs.xfs.panic_mask=%s), and cutting it off is one; set it to 0 for the drill", m.Mount, mask)
		}
	default:
		return fault.Refuse(field, "%s is %s; only ext4 and xfs can be cut off from their disk", m.Mount, m.Type)
	}
	return nil
}
