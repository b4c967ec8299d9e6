package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// Running lists the pids of processes that run a program: its file, if name is a
// path, or else a file or a script of that name.
func Running(name string) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || !runs(pid, name) {
			continue
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

func runs(pid int, name string) bool {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	exe = strings.TrimSuffix(exe, " (deleted)")
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH):
		return false // a thread of the kernel, or gone
	case path.IsAbs(name):
		return exe == name
	case err == nil && path.Base(exe) == name:
		return true
	}
	s, err := readStat(pid)
	return err == nil && s.name == name // what a script is called, up to 15 bytes
}

// Children are the processes of the host by the pids of their parents.
func Children() (map[int][]ID, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	children := map[int][]ID{}
	for _, p := range all {
		if st, err := readStat(p.PID); err == nil {
			children[st.parent] = append(children[st.parent], p)
		}
	}
	return children, nil
}
