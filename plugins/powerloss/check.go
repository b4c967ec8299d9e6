package powerloss

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/filesystem"
)

// check refuses a host that is not what the controller says, or whose loss
// would take more with it than the host.
func check(t fault.Target, s power.Status) error {
	switch {
	case t.Host == "" || s.Host != t.Host:
		return fault.Refuse("", "asked the power controller for host %q, it answered for %q", t.Host, s.Host)
	case !s.On:
		return fault.Refuse("", "host %s is off already", s.Host)
	case len(s.FileSystems) == 0:
		return fault.Refuse("", "host %s has no file system of its own in its configuration: nothing unsynced could be lost", s.Host)
	}
	if err := identical(s); err != nil {
		return fault.Refuse("", "the power controller's description of host %s is not true: %v", s.Host, err)
	}
	if err := checkCgroup(s); err != nil {
		return err
	}
	for _, f := range s.FileSystems {
		if err := checkFileSystem(t, s, f); err != nil {
			return err
		}
	}
	return checkUnnamed(s)
}

// checkCgroup refuses a group that this process itself is in, or the root.
func checkCgroup(s power.Status) error {
	v2, err := cgroup.V2()
	if err != nil {
		return fmt.Errorf("%w: %w; mount cgroup2", fault.ErrUnsupported, err)
	}
	own, err := v2.Own()
	if err != nil {
		return err
	}
	if filepath.Clean(s.Cgroup) == v2.Mount || within(own, s.Cgroup) {
		return fault.Refuse("", "the control group %s of host %s holds this agent too", s.Cgroup, s.Host)
	}
	for _, file := range []string{"cgroup.freeze", "cgroup.kill"} {
		if _, err := os.Stat(filepath.Join(s.Cgroup, file)); err != nil {
			return fmt.Errorf("%w: no %s in %s; it needs Linux 5.14", fault.ErrUnsupported, file, s.Cgroup)
		}
	}
	return nil
}

func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}

// loopMajor is the major number of loop devices, Documentation/admin-guide/devices.txt.
const loopMajor = 7

// checkFileSystem refuses whatever is not a loop file system of the host alone.
func checkFileSystem(t fault.Target, s power.Status, f power.FileSystem) error {
	switch {
	case filepath.Clean(f.Mount) == "/" || !filepath.IsAbs(f.Mount):
		return fault.Refuse("", "file system %q of host %s: / is never shut down", f.Mount, s.Host)
	case f.Type != "ext4" && f.Type != "xfs":
		return fault.Refuse("", "file system %s of host %s is %s; only ext4 and xfs can be cut off", f.Mount, s.Host, f.Type)
	case unix.Major(f.Dev) != loopMajor || f.Device != "loop"+strconv.Itoa(int(unix.Minor(f.Dev))):
		return fault.Refuse("", "file system %s of host %s is on %s, device %d:%d; only loop devices are cut off", f.Mount, s.Host, f.Device, unix.Major(f.Dev), unix.Minor(f.Dev))
	case filesystem.BackingFile(f.Device) != f.Image:
		return fault.Refuse("", "file system %s of host %s: %s carries %q, not %q", f.Mount, s.Host, f.Device, filesystem.BackingFile(f.Device), f.Image)
	}
	spared := map[string]string{"/": "the machine's root file system"}
	if t.StateDir != "" {
		spared[t.StateDir] = "the journal of this agent"
	}
	for path, what := range spared {
		dev, err := deviceOf(path)
		if err != nil {
			return err
		}
		if dev == f.Dev {
			return fault.Refuse("", "file system %s of host %s carries %s", f.Mount, s.Host, what)
		}
	}
	dev, err := deviceOf(inside(s, f))
	if err != nil {
		return err
	}
	if dev != f.Dev {
		return fault.Refuse("", "host %s has another file system at %s than its configuration names", s.Host, f.Mount)
	}
	return nil
}

// inside is the mount point of f as seen from here.
func inside(s power.Status, f power.FileSystem) string {
	return filepath.Join("/proc", strconv.Itoa(s.PID1), "root", f.Mount)
}

func deviceOf(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, fmt.Errorf("stat %s: %w", path, err)
	}
	return st.Dev, nil
}

// checkUnnamed refuses a host that can write to a disk its configuration does
// not name: what it wrote there would survive the cut.
func checkUnnamed(s power.Status) error {
	all, err := filesystem.Mounts(strconv.Itoa(s.PID1))
	if err != nil {
		return fmt.Errorf("host %s: %w", s.Host, err)
	}
	for _, m := range all {
		if unix.Major(m.Dev) == 0 || !slices.Contains(strings.Split(m.Options, ","), "rw") {
			continue // without a disk, or read-only
		}
		if !slices.ContainsFunc(s.FileSystems, func(n power.FileSystem) bool { return n.Dev == m.Dev }) {
			return fault.Refuse("", "host %s can write to %s (device %d:%d), which its configuration does not name", s.Host, m.Point, unix.Major(m.Dev), unix.Minor(m.Dev))
		}
	}
	return nil
}

// errOtherHost says that the host of the record is not there any more.
var errOtherHost = errors.New("identity differs")

// identical compares the host's identities with the kernel.
func identical(s power.Status) error {
	if !alive(s) {
		return fmt.Errorf("%w: process %d did not start at %d", errOtherHost, s.PID1, s.PID1Start)
	}
	if ino, err := cgroup.Inode(s.Cgroup); err != nil || ino != s.CgroupIno {
		return fmt.Errorf("%w: control group %s has inode %d, not %d", errOtherHost, s.Cgroup, ino, s.CgroupIno)
	}
	var st unix.Stat_t
	ns := filepath.Join("/proc", strconv.Itoa(s.PID1), "ns/net")
	if err := unix.Stat(ns, &st); err != nil || st.Ino != s.NetNS {
		return fmt.Errorf("%w: network namespace of process %d is %d, not %d", errOtherHost, s.PID1, st.Ino, s.NetNS)
	}
	return nil
}
