package group

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// spared refuses a group that holds, itself or in a group below it, a process
// that no fault may slow down or starve. The processes are asked, not the names
// of groups: a mount may show only a part of its hierarchy.
func (g Group) spared(field string) error {
	if g.Path == "/" {
		return fault.Refuse(field, "/ is the group of the whole host, Firedrill and pid 1 included; name a group below it")
	}
	protects := protector()
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
			if why := protects(pid); why != "" {
				return fault.Refuse(field, "%s holds pid %d, %s, in %s; name a group of services alone", g.Path, pid, why, dir)
			}
		}
		return nil
	})
	return err
}

// protector returns a function that says why a process must not be touched;
// "" for one that may be.
func protector() func(pid int) string {
	kin := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !kin[pid]; pid = parent(pid) {
		kin[pid] = true
	}
	var ours []os.FileInfo // agent, guardian and plugins run one executable, third-party plugins their own
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		if exe, err := executable(pid); err == nil {
			ours = append(ours, exe)
		}
	}
	return func(pid int) string {
		switch {
		case pid == 1:
			return "the first process of the host"
		case kin[pid]:
			return "which carries this plugin"
		case strings.HasPrefix(command(pid), "sshd"):
			return "which is sshd"
		}
		if exe, err := executable(pid); err == nil {
			for _, own := range ours {
				if os.SameFile(exe, own) {
					return "which is Firedrill itself"
				}
			}
		}
		return ""
	}
}

// executable identifies the file that pid runs, a deleted one too.
func executable(pid int) (os.FileInfo, error) { return os.Stat(fmt.Sprintf("/proc/%d/exe", pid)) }

// command is the name of pid's program, proc_pid_comm(5).
func command(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(b))
}

// parent is the parent of pid, 0 if there is none to be seen, proc_pid_stat(5).
func parent(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The command name in parentheses may hold spaces and parentheses.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(fields[1])
	return n
}
