package filesystem

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Holder names a process that keeps the file system from being let go of and is
// none of those that members lists: it has a file of it open, or sees a mount of it
// that does not go with those of the caller's namespace. "" if there is none.
func (m Mounted) Holder(members func() (map[int]bool, error)) (string, error) {
	all, err := process.All()
	if err != nil {
		return "", err
	}
	// Asked for afterwards: a child of a member would else pass for a stranger.
	inside, err := members()
	if err != nil {
		return "", err
	}
	for _, p := range all {
		if inside[p.PID] {
			continue
		}
		if what := m.heldBy(p.PID); what != "" {
			return fmt.Sprintf("%s, which has %s open,", p, what), nil
		}
	}
	return m.seenBy(all, inside)
}

// heldBy is a file of the file system that a process holds; "" if none.
func (m Mounted) heldBy(pid int) string {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	files := []string{filepath.Join(dir, "cwd"), filepath.Join(dir, "root"), filepath.Join(dir, "exe")}
	entries, _ := os.ReadDir(filepath.Join(dir, "fd")) // a process that is gone has none
	for _, e := range entries {
		files = append(files, filepath.Join(dir, "fd", e.Name()))
	}
	for _, file := range files {
		var st unix.Statx_t // of no server: one that does not answer must not hold us up
		err := unix.Statx(unix.AT_FDCWD, file, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, 0, &st)
		if err == nil && unix.Mkdev(st.Dev_major, st.Dev_minor) == m.Dev {
			return link(file)
		}
	}
	maps, _ := os.ReadFile(filepath.Join(dir, "maps"))
	device := fmt.Sprintf("%02x:%02x", unix.Major(m.Dev), unix.Minor(m.Dev))
	for line := range strings.Lines(string(maps)) {
		if f := strings.Fields(line); len(f) > 5 && f[3] == device {
			return f[5]
		}
	}
	return ""
}

// seenBy looks through the mount namespaces of others.
func (m Mounted) seenBy(all []process.ID, inside map[int]bool) (string, error) {
	own := link("/proc/self/ns/mnt")
	see := map[string][]Mount{}        // by namespace
	outside := map[string]process.ID{} // a process of it that is not inside
	for _, p := range all {
		pid := strconv.Itoa(p.PID)
		ns := link("/proc", pid, "ns/mnt")
		if ns == "" || ns == own {
			continue
		}
		if !inside[p.PID] {
			outside[ns] = p
		}
		if _, seen := see[ns]; !seen {
			if mounts, err := Mounts(pid); err == nil {
				see[ns] = mounts
			}
		}
	}
	groups, err := m.spread(see)
	if err != nil {
		return "", err
	}
	for ns, p := range outside {
		for _, mount := range mountsOf(see[ns], m.Dev) {
			parent := parentOf(see[ns], mount)
			if !groups[parent.tag("shared")] && !groups[parent.tag("master")] {
				return fmt.Sprintf("%s, in whose mount namespace it is mounted at %s,", p, mount.Point), nil
			}
		}
	}
	return "", nil
}

// spread finds the peer groups to which the kernel hands on that our mounts are
// taken away, mount_namespaces(7): those of the mounts that they lie on, and those
// that hear of these.
func (m Mounted) spread(see map[string][]Mount) (map[int]bool, error) {
	here, err := Mounts("self")
	if err != nil {
		return nil, err
	}
	groups := map[int]bool{}
	for _, mount := range mountsOf(here, m.Dev) {
		if n := parentOf(here, mount).tag("shared"); n > 0 {
			groups[n] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, mounts := range see {
			for _, mount := range mounts {
				n := mount.tag("shared")
				if n > 0 && !groups[n] && groups[mount.tag("master")] {
					groups[n], grown = true, true
				}
			}
		}
	}
	return groups, nil
}

func parentOf(all []Mount, m Mount) Mount {
	for _, p := range all {
		if p.ID == m.Parent {
			return p
		}
	}
	return Mount{}
}
