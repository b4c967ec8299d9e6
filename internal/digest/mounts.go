package digest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mount is one line of mountinfo, proc_pid_mountinfo(5).
type mount struct {
	device  string // major:minor
	root    string
	point   string
	options string
	fstype  string
	source  string
	super   string
}

func readMounts(proc string) ([]mount, error) {
	b, err := os.ReadFile(filepath.Join(proc, "self", "mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	var mounts []mount
	for line := range strings.Lines(string(b)) {
		if m, ok := parseMount(line); ok {
			mounts = append(mounts, m)
		}
	}
	return mounts, nil
}

func parseMount(line string) (mount, bool) {
	head, tail, ok := strings.Cut(line, " - ")
	f, t := strings.Fields(head), strings.Fields(tail)
	if !ok || len(f) < 6 || len(t) < 2 {
		return mount{}, false
	}
	m := mount{device: f[2], root: f[3], point: f[4], options: f[5], fstype: t[0], source: t[1]}
	if len(t) > 2 {
		m.super = t[2]
	}
	return m, true
}

// mounts adds the mounts of the caller's namespace. Mount ids and peer groups
// are left out: they are numbers drawn anew at each mount. A loop device is
// named by its backing file: which loop device is free is chance.
func (l *listing) mounts(sys string, mounts []mount) {
	for _, m := range mounts {
		source := m.source
		if name, ok := strings.CutPrefix(source, "/dev/loop"); ok {
			if file, ok := backingFile(sys, "loop"+name); ok {
				source = "loop:" + file
			}
		}
		// A program that is bound into hosts may be built anew meanwhile: the mount stays what it was.
		root := strings.TrimSuffix(m.root, "//deleted")
		if m.fstype == "nsfs" {
			root = "namespace" // the inode stands in the line of the namespace
		}
		l.add("mount", m.point, "type="+m.fstype, "source="+source, "root="+root, "options="+m.options, "super="+m.super)
	}
}

// hierarchies are the mounted cgroup file systems, one mount each.
func hierarchies(mounts []mount) []mount {
	var out []mount
	seen := map[string]bool{}
	for _, m := range mounts {
		if (m.fstype == "cgroup" || m.fstype == "cgroup2") && !seen[m.device] {
			seen[m.device] = true
			out = append(out, m)
		}
	}
	return out
}
