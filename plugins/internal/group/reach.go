package group

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Spared refuses a group that holds, itself or below it, what no fault may touch.
func (g Group) Spared(field string) error { return g.spared(field) }

// Write writes text to one of the group's files, in one call; fault.ErrGone if
// the group is gone. Whether it is the record's is the caller's to ask first.
func (g Group) Write(file, text string) error {
	err := cgroup.Write(g.Dir(), file, text)
	if gone(err) {
		err = fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	return err
}

// Has says whether the group has a file.
func (g Group) Has(file string) bool {
	_, err := os.Stat(filepath.Join(g.Dir(), file))
	return err == nil
}

// Inhabited names a group below g that has processes; "" if none has.
func (g Group) Inhabited() (string, error) {
	found := ""
	err := filepath.WalkDir(g.Dir(), func(dir string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() && dir != g.Dir() {
			var pids []int
			if pids, err = cgroup.Procs(dir); len(pids) > 0 {
				found = filepath.Join(g.Path, dir[len(g.Dir()):])
				return filepath.SkipAll
			}
		}
		if gone(err) {
			return nil
		}
		return err
	})
	if err != nil && !errors.Is(err, filepath.SkipAll) {
		return "", fmt.Errorf("list groups below %s: %w", g.Path, err)
	}
	return found, nil
}
