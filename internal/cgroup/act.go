package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often a state of the kernel is read again while waiting for it.
const poll = time.Millisecond

// ErrTimeout says that a group did not reach the wanted state in time.
var ErrTimeout = errors.New("cgroup: not in time")

// Create makes the group below an existing parent. A v1 cpuset takes its
// parent's CPUs and memory nodes, without which no process may enter.
func Create(group string) error {
	if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("create cgroup: %w", err)
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := Read(filepath.Dir(group), file)
		if err != nil || value == "" {
			continue
		}
		if own, err := Read(group, file); err != nil || own != "" {
			continue
		}
		if err := Write(group, file, value); err != nil {
			return err
		}
	}
	return nil
}

// Freeze stops or thaws all processes of a v2 group. It does not wait.
func Freeze(group string, frozen bool) error {
	text := "0"
	if frozen {
		text = "1"
	}
	return Write(group, "cgroup.freeze", text)
}

// Frozen says whether every process of a v2 group is stopped.
func Frozen(group string) (bool, error) { return event(group, "frozen") }

// Populated says whether a v2 group or one below it has a living process.
func Populated(group string) (bool, error) { return event(group, "populated") }

// event reads one line of cgroup.events.
func event(group, name string) (bool, error) {
	text, err := Read(group, "cgroup.events")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(text) {
		if key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key == name {
			return value == "1", nil
		}
	}
	return false, fmt.Errorf("read cgroup %s: no %q in cgroup.events", group, name)
}

// WaitFrozen waits until all of a v2 group is stopped; ErrTimeout after limit.
func WaitFrozen(group string, limit time.Duration) error {
	return wait(group, limit, Frozen)
}

// WaitEmpty waits until a v2 group has no living process; ErrTimeout after
// limit. A group that is gone is empty.
func WaitEmpty(group string, limit time.Duration) error {
	return wait(group, limit, func(g string) (bool, error) {
		populated, err := Populated(g)
		if gone(err) {
			return true, nil
		}
		return !populated, err
	})
}

func wait(group string, limit time.Duration, reached func(string) (bool, error)) error {
	for end := time.Now().Add(limit); ; time.Sleep(poll) {
		ok, err := reached(group)
		if err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("wait for %s: %w", group, ErrTimeout)
		}
	}
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

// Kill ends every process in a v2 group and below, frozen ones too. Afterwards
// the kernel kills whatever is cloned into this very group (CLONE_INTO_CGROUP),
// so it has to be replaced by a new one before anything is started in it. A
// group that is gone is no error.
func Kill(group string) error {
	if err := Write(group, "cgroup.kill", "1"); err != nil && !gone(err) {
		return err
	}
	return nil
}

// Procs lists the pids in group itself, as seen in the caller's pid namespace.
func Procs(group string) ([]int, error) {
	text, err := Read(group, "cgroup.procs")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, f := range strings.Fields(text) {
		pid, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("list processes of %s: %w", group, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// Below lists the pids in group and in all groups below it. A group that is gone has
// none.
func Below(group string) (pids []int, err error) {
	err = filepath.WalkDir(group, func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			if gone(err) || errors.Is(err, syscall.ENOTDIR) {
				return fs.SkipDir
			}
			return err
		}
		own, err := Procs(dir)
		if err != nil && !gone(err) && !errors.Is(err, syscall.EOPNOTSUPP) { // the last: threads alone, whose process is listed above
			return err
		}
		pids = append(pids, own...)
		return nil
	})
	return pids, err
}

// EnterThread moves the calling thread, which must be locked, into a v1 group:
// what it forks is born there.
func EnterThread(group string) error { return Write(group, "tasks", "0") }

// Enter moves the calling process into group.
func Enter(group string) error { return Write(group, "cgroup.procs", "0") }

// Remove removes group and all groups below it, and waits up to limit for
// dying processes. A group that is gone is no error.
func Remove(group string, limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		err := removeOnce(group)
		if err == nil || !errors.Is(err, unix.EBUSY) || time.Now().After(end) {
			return err
		}
		time.Sleep(poll)
	}
}

func removeOnce(group string) error {
	entries, err := os.ReadDir(group)
	if err != nil && !gone(err) {
		return fmt.Errorf("remove cgroup: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if err := removeOnce(filepath.Join(group, e.Name())); err != nil {
			return err
		}
	}
	if err := unix.Rmdir(group); err != nil && !gone(err) {
		return fmt.Errorf("remove cgroup %s: %w", group, err)
	}
	return nil
}
