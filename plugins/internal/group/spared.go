package group

import (
	"io/fs"
	"path/filepath"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// spared refuses a group that holds, itself or in a group below it, a process
// that no fault may slow down or starve. The processes are asked, not the names
// of groups: a mount may show only a part of its hierarchy.
func (g Group) spared(field string) error {
	spares := process.Sparer()
	err := filepath.WalkDir(g.Dir(), func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			if gone(err) {
				return fs.SkipDir
			}
			return err
		}
		pids, err := cgroup.Procs(dir)
		if err != nil && !gone(err) {
			return err
		}
		for _, pid := range pids {
			if why := spares(pid); why != "" {
				return fault.Refuse(field, "%s holds pid %d, %s, in %s; name a group of services alone", g.Path, pid, why, dir)
			}
		}
		return nil
	})
	return err
}
