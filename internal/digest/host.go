package digest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// HostOptions says what Host reads and what it leaves out.
type HostOptions struct {
	Roots Roots
	// Netlink is the handle to read links through; nil opens one in the
	// caller's network namespace.
	Netlink *netlink.Handle
	// Folders are ours: their entries are listed, one level deep.
	Folders []string
	// Destroyed are the faults whose Destroys is left out, inside their target
	// and nothing else. Name a fault only after it was applied.
	Destroyed []Destroyed
}

// Destroyed is what one applied fault declared that it cannot give back.
type Destroyed struct {
	What   fault.Destruction
	Target fault.Target
}

// marksFolder is where faults that hold nothing in the kernel mark what they did
// until they are reverted, plugins/internal/rounds.
const marksFolder = "/run/firedrill/marks"

// controlFolder is where systemd keeps settings of units until the next boot, and
// where faults mask units: internal/systemd.
const controlFolder = "/run/systemd/system.control"

// Host lists the host from inside: the caller's namespaces, the cgroup mounts
// it sees, its network settings, its clock, our files.
func Host(o HostOptions) (Digest, error) {
	roots := o.Roots.orReal()
	nl := o.Netlink
	if nl == nil {
		own, err := netlink.NewHandle()
		if err != nil {
			return Digest{}, fmt.Errorf("open netlink: %w", err)
		}
		defer own.Close()
		nl = own
	}
	mounts, err := readMounts(roots.Proc)
	if err != nil {
		return Digest{}, err
	}
	l := &listing{}
	err = errors.Join(
		l.links(nl), l.addresses(nl), l.routes(nl), l.rules(nl), l.qdiscs(nl),
		l.programs(nl, mounts),
		l.cgroupKnobs(mounts),
		l.loops(roots.Sys, visibleLoops(roots.Proc, mounts)),
		l.stopped(roots.Proc),
		l.clock(roots.Proc),
		l.vdsos(roots.Proc),
	)
	l.mounts(roots.Sys, mounts)
	l.sysctls(roots.Proc)
	l.files(append(slices.Clone(o.Folders), marksFolder, controlFolder), 1)
	return l.digest(func(line string) bool { return !destroyed(line, o.Destroyed) }), err
}

// initialPIDNamespace is the inode of the pid namespace the kernel starts with
// (PROC_PID_INIT_INO).
const initialPIDNamespace = "pid:[4026531836]"

// visibleLoops is nil, meaning all, on a whole machine. A lab host sees the
// machine's /sys, so there only the loop devices that it mounts are its own.
func visibleLoops(proc string, mounts []mount) map[string]bool {
	if name, err := os.Readlink(filepath.Join(proc, "self", "ns", "pid")); err != nil || name == initialPIDNamespace {
		return nil
	}
	own := map[string]bool{}
	for _, m := range mounts {
		own[m.device] = true
	}
	return own
}

// destroyed says whether line is about something that an applied fault said it
// would destroy: processes of its groups, files on its file systems.
func destroyed(line string, faults []Destroyed) bool {
	kind, rest, _ := strings.Cut(line, " ")
	for _, f := range faults {
		processes := f.What == fault.DestroysProcesses || f.What == fault.DestroysUnsyncedData
		switch {
		case kind == "stopped" && processes && inGroups(rest, f.Target.Cgroups):
			return true
		case kind == "file" && f.What == fault.DestroysUnsyncedData && under(rest, f.Target.Mounts):
			return true
		}
	}
	return false
}

// inGroups: no group given means the whole host.
func inGroups(words string, groups []fault.Cgroup) bool {
	for _, g := range groups {
		if strings.Contains(words+"/", "cgroup="+strings.TrimSuffix(g.Path, "/")+"/") {
			return true
		}
	}
	return len(groups) == 0
}

func under(words string, mounts []string) bool {
	path, _, _ := strings.Cut(words, " ")
	for _, m := range mounts {
		if path == m || strings.HasPrefix(path, strings.TrimSuffix(m, "/")+"/") {
			return true
		}
	}
	return len(mounts) == 0
}
