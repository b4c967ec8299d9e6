// Package filesystem names file systems so that another one is never taken for
// them, and says which no fault may touch.
package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// FileSystem is a mounted file system and the folder through which a fault
// reaches it.
type FileSystem struct {
	Path   string `json:"path"`   // the folder, without symbolic links
	Mount  string `json:"mount"`  // where it is mounted
	Type   string `json:"type"`   // as in proc_pid_mountinfo(5), e.g. ext4
	Source string `json:"source"` // likewise, e.g. /dev/vda1
	Dev    uint64 `json:"dev"`    // st_dev of stat(2)
	FSID   string `json:"fsid"`   // f_fsid of statfs(2): of most types it outlives a reboot
}

// Find finds the file system that holds the folder path. It refuses, naming the
// parameter field, what is no folder, what can't be written to, and the file
// system of the acting agent's records (Target.StateDir).
func Find(field, path string, t fault.Target) (FileSystem, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path {
		return FileSystem{}, fault.Refuse(field, "%q is no clean absolute path; write it like /var/lib/notes", path)
	}
	f, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return f, fault.Refuse(field, "no folder %s; name one that is there", path)
	case err != nil:
		return f, err
	}
	s, err := f.Space()
	if err != nil {
		return f, err
	}
	if s.Flags&unix.ST_RDONLY != 0 {
		return f, fault.Refuse(field, "%s is mounted read-only; name a file system that is written to", f.Mount)
	}
	if t.StateDir != "" && f.Carries(t.StateDir) {
		return f, fault.Refuse(field, "%s also carries %s, the agent's own records, without which nothing is undone; name another file system, or move the agent's --root", f.Mount, t.StateDir)
	}
	return f, nil
}

func read(path string) (f FileSystem, err error) {
	if f.Path, err = filepath.EvalSymlinks(path); err != nil {
		return f, fmt.Errorf("find folder: %w", err)
	}
	st, err := os.Stat(f.Path)
	if err != nil {
		return f, fmt.Errorf("find folder: %w", err)
	}
	if !st.IsDir() {
		return f, fmt.Errorf("find folder %s: %w", path, unix.ENOTDIR)
	}
	if f.Dev, f.FSID, err = identity(f.Path); err != nil {
		return f, err
	}
	f.Mount, f.Type, f.Source, err = mountOf(f.Path)
	return f, err
}

func identity(path string) (dev uint64, fsid string, err error) {
	var st unix.Stat_t
	var sf unix.Statfs_t
	if err := errors.Join(unix.Stat(path, &st), unix.Statfs(path, &sf)); err != nil {
		return 0, "", fmt.Errorf("identify file system of %s: %w", path, err)
	}
	return st.Dev, fmt.Sprintf("%08x%08x", uint32(sf.Fsid.Val[0]), uint32(sf.Fsid.Val[1])), nil
}

// mountOf finds the mount that a path leads into: of the longest mount points
// above it, the last one covers the others.
func mountOf(path string) (mount, kind, source string, err error) {
	all, err := Mounts("self")
	if err != nil {
		return "", "", "", err
	}
	for _, m := range all {
		if below(path, m.Point) && len(m.Point) >= len(mount) {
			mount, kind, source = m.Point, m.Type, m.Source
		}
	}
	if mount == "" {
		err = fmt.Errorf("list mounts: none holds %s", path)
	}
	return mount, kind, source, err
}

func below(path, folder string) bool {
	return folder == "/" || path == folder || strings.HasPrefix(path, folder+"/")
}

// Carries says whether path, or the nearest folder above it that is there, lies
// on the file system: by its number, or by its device where one file system has
// several numbers (subvolumes of btrfs).
func (f FileSystem) Carries(path string) bool {
	for {
		other, err := read(path)
		if err == nil {
			return other.Dev == f.Dev || strings.HasPrefix(f.Source, "/") && other.Source == f.Source
		}
		if path == "/" || path == "." {
			return true // nothing is known: better not touched
		}
		path = filepath.Dir(path)
	}
}

// Space reads statfs(2).
func (f FileSystem) Space() (s unix.Statfs_t, err error) {
	if err = unix.Statfs(f.Path, &s); err != nil {
		err = fmt.Errorf("read space of %s: %w", f.Path, err)
	}
	return s, err
}

// Check returns fault.ErrGone if another file system, or none, is there now.
func (f FileSystem) Check() error {
	dev, fsid, err := identity(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w: no folder %s", fault.ErrGone, f.Path)
	case err != nil:
		return err
	case fsid != f.FSID || fsid == none && dev != f.Dev:
		return fmt.Errorf("%w: the file system at %s is another one now; if it was unmounted, mount it there again and revert", fault.ErrGone, f.Path)
	}
	return nil
}

// none is the id of file systems that have none.
const none = "0000000000000000"
