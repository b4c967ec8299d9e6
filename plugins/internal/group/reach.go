package group

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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

// Started is when a process began, in clock ticks since boot: field 22 of
// proc_pid_stat(5). With the pid it names the process, as a pid is given again.
func Started(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read start of pid %d: %w", pid, err)
	}
	// The command name in parentheses may hold spaces and parentheses.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return 0, fmt.Errorf("read start of pid %d: short line", pid)
	}
	return strconv.ParseUint(f[19], 10, 64)
}

// SameBoot returns fault.ErrGone if the host was booted since the target was
// prepared: no process of then is there any more.
func SameBoot(t fault.Target) error {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if t.BootID != "" && err == nil && strings.TrimSpace(string(b)) != t.BootID {
		return fmt.Errorf("%w: the host was booted since", fault.ErrGone)
	}
	return nil
}
