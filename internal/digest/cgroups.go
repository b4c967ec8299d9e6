package digest

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
)

// cgroupMark is in the path of every control group of ours.
const cgroupMark = "firedrill"

// labCgroups adds the control groups of labs in all hierarchies. Others are left
// out: service managers and container runtimes make and remove theirs all the
// time.
func (l *listing) labCgroups(mounts []mount) error {
	return eachCgroup(mounts, func(h mount, path, dir string) {
		if !strings.Contains(path, cgroupMark) {
			return
		}
		l.add("cgroup", dir, "frozen="+frozen(h, dir))
	})
}

// eachCgroup visits every control group of every hierarchy; path is relative to
// the hierarchy, dir is the folder.
func eachCgroup(mounts []mount, visit func(h mount, path, dir string)) error {
	for _, h := range hierarchies(mounts) {
		err := filepath.WalkDir(h.point, func(dir string, e fs.DirEntry, err error) error {
			switch {
			case err != nil && vanished(err):
				return fs.SkipDir
			case err != nil:
				return err
			case e.IsDir():
				visit(h, strings.TrimPrefix(dir, h.point), dir)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("list control groups in %s: %w", h.point, err)
		}
	}
	return nil
}

// frozen reads whether somebody froze the group itself.
func frozen(h mount, dir string) string {
	if h.fstype == "cgroup2" {
		text, _ := readTrimmed(dir, "cgroup.freeze")
		return text
	}
	text, _ := readTrimmed(dir, "freezer.self_freezing")
	return text
}

// knobs are the settings of a control group that faults change. Counters and
// state that the kernel moves by itself are not settings.
var knobs = []string{
	"cgroup.freeze", "cgroup.subtree_control", "cgroup.type", "freezer.self_freezing",
	"cpu.max", "cpu.weight", "cpu.uclamp.max", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.shares",
	"cpuset.cpus", "cpuset.mems",
	"memory.max", "memory.high", "memory.low", "memory.min", "memory.swap.max",
	"memory.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.swappiness",
	"pids.max", "io.max", "io.weight",
	"blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
	"blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device", "blkio.weight",
	"devices.list",
}

// ownGroup is a group that an agent made for itself. It carries the agent's pid,
// which differs after a restart; one that was left behind shows by its number.
var ownGroup = regexp.MustCompile(`/(guardian|plugins)\.\d+`)

// cgroupKnobs adds every control group with its settings.
func (l *listing) cgroupKnobs(mounts []mount) error {
	return eachCgroup(mounts, func(h mount, path, dir string) {
		words := []string{"cgroup", ownGroup.ReplaceAllString(dir, "/$1.*")}
		for _, knob := range knobs {
			if text, ok := readTrimmed(dir, knob); ok {
				words = append(words, knob+"="+strings.Join(strings.Fields(text), ","))
			}
		}
		l.add(words...)
	})
}
