// Package cgroup finds the mounted control group hierarchies of both versions
// and does the few things with groups that faults and the lab need. Values are
// raw file texts, so that what was read can be written back unchanged.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Hierarchy is one mounted hierarchy.
type Hierarchy struct {
	Version     int      // 1 or 2
	Mount       string   // where it is mounted, from /proc/self/mountinfo
	Controllers []string // v1: as mounted, e.g. cpu, or name=systemd; v2: those it offers
}

// ErrNoHierarchy says that the wanted version of control groups is not mounted.
var ErrNoHierarchy = errors.New("no such cgroup hierarchy mounted")

// Hierarchies lists what the calling process sees mounted, each hierarchy once.
func Hierarchies() ([]Hierarchy, error) {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	return parse(string(b)), nil
}

// parse reads mountinfo, proc_pid_mountinfo(5).
func parse(mountinfo string) []Hierarchy {
	var all []Hierarchy
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 5 || len(r) < 3 || seen[l[2]] {
			continue
		}
		h := Hierarchy{Mount: unescape(l[4])}
		switch r[0] {
		case "cgroup2":
			h.Version = 2
			h.Controllers = offered(h.Mount)
		case "cgroup":
			h.Version = 1
			h.Controllers = slices.DeleteFunc(strings.Split(r[2], ","), isMountFlag)
		default:
			continue
		}
		seen[l[2]] = true
		all = append(all, h)
	}
	return all
}

func isMountFlag(option string) bool {
	switch option {
	case "rw", "ro", "xattr", "noprefix", "clone_children":
		return true
	}
	return strings.HasPrefix(option, "release_agent=")
}

// unescape undoes mountinfo's octal escapes of blanks.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func offered(group string) []string {
	text, err := Read(group, "cgroup.controllers")
	if err != nil {
		return nil
	}
	return strings.Fields(text)
}

// V2 returns the v2 hierarchy, ErrNoHierarchy if there is none.
func V2() (Hierarchy, error) {
	all, err := Hierarchies()
	if err != nil {
		return Hierarchy{}, err
	}
	for _, h := range all {
		if h.Version == 2 {
			return h, nil
		}
	}
	return Hierarchy{}, fmt.Errorf("find cgroup v2: %w", ErrNoHierarchy)
}

// Own returns the calling process's group in h, as an absolute path below h.Mount.
func (h Hierarchy) Own() (string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("find own cgroup: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		if h.Version == 2 && f[0] == "0" || h.Version == 1 && f[1] == strings.Join(h.Controllers, ",") {
			return filepath.Join(h.Mount, f[2]), nil
		}
	}
	return "", fmt.Errorf("find own cgroup in %s: %w", h.Mount, ErrNoHierarchy)
}

// Inode identifies a group: another group of the same name has another one.
func Inode(group string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(group, &st); err != nil {
		return 0, fmt.Errorf("identify cgroup %s: %w", group, err)
	}
	return st.Ino, nil
}

// Read returns the text of one of group's files without the last newline.
func Read(group, file string) (string, error) {
	b, err := os.ReadFile(filepath.Join(group, file))
	if err != nil {
		return "", fmt.Errorf("read cgroup: %w", err)
	}
	return strings.TrimSuffix(string(b), "\n"), nil
}

// Write writes text to one of group's files. A file that is missing is an
// error: nothing is ever created. An empty text is written as an empty line, as the
// kernel takes no notice of a write of nothing.
func Write(group, file, text string) error {
	if text == "" {
		text = "\n"
	}
	f, err := os.OpenFile(filepath.Join(group, file), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("write cgroup: %w", err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %q to cgroup: %w", text, err)
	}
	return nil
}
