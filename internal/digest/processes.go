package digest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is what /proc says of one process.
type process struct {
	pid    int
	comm   string
	state  string // one letter of proc_pid_stat(5)
	start  string // in clock ticks since boot
	args   []string
	exe    string
	cgroup string // in the v2 hierarchy
}

// pids lists the processes, sorted by pid.
func pids(proc string) ([]int, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var out []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			out = append(out, pid)
		}
	}
	slices.Sort(out)
	return out, nil
}

func readProcess(proc string, pid int) (process, bool) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
	stat, err := readKernelFile(filepath.Join(dir, "stat"))
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if err != nil || open < 0 || end < open {
		return process{}, false
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return process{}, false
	}
	p := process{pid: pid, comm: string(stat[open+1 : end]), state: fields[0], start: fields[19], cgroup: unifiedCgroup(dir)}
	if b, err := readKernelFile(filepath.Join(dir, "cmdline")); err == nil {
		p.args = strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	}
	p.exe, _ = os.Readlink(filepath.Join(dir, "exe"))
	return p, true
}

// unifiedCgroup reads the v2 path of the process in dir; "" if it has none.
func unifiedCgroup(dir string) string {
	text, _ := readTrimmed(dir, "cgroup")
	for line := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			return strings.TrimSpace(path)
		}
	}
	return ""
}

// labProcesses adds the processes of labs, agents and plugins. All others are
// left out: they start and end by themselves.
func (l *listing) labProcesses(proc string) error {
	list, err := pids(proc)
	if err != nil {
		return err
	}
	for _, pid := range list {
		p, ok := readProcess(proc, pid)
		if ok && pid != os.Getpid() && !p.ended() && p.ofLab() {
			l.add("process", strconv.Itoa(pid), "start="+p.start, "comm="+p.comm, "cgroup="+p.cgroup, "args="+strings.Join(p.args, ","))
		}
	}
	return nil
}

// ofLab says whether p is a role of a lab, an agent, a plugin, or runs in a
// control group of ours.
func (p process) ofLab() bool {
	if strings.Contains(p.cgroup, cgroupMark) {
		return true
	}
	if len(p.args) > 1 && strings.HasPrefix(p.args[1], "lab-role-") {
		return true
	}
	return filepath.Base(strings.TrimSuffix(p.exe, " (deleted)")) == "hostagent"
}

// ended says that only the process's parent has not taken notice of its end yet.
// How soon that happens is the parent's affair: on a busy machine's pid 1 it
// took 15 s.
func (p process) ended() bool { return p.state == "Z" || p.state == "X" }

// stopped adds the processes that stand still in a signal stop. Stops by a
// tracer (state t) are left out: a debugger's.
func (l *listing) stopped(proc string) error {
	list, err := pids(proc)
	if err != nil {
		return err
	}
	for _, pid := range list {
		if p, ok := readProcess(proc, pid); ok && p.state == "T" {
			l.add("stopped", strconv.Itoa(pid), "start="+p.start, "comm="+p.comm, "cgroup="+p.cgroup)
		}
	}
	return nil
}
