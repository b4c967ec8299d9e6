package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// downLimit bounds each wait of a take-down.
const downLimit = 20 * time.Second

// takeDown removes a lab from its state alone: no process of it needs to live.
// It may run twice, also at the same time. The state file goes last, so that a
// take-down that was interrupted can be done again.
func takeDown(s State) error {
	me := os.Getpid()
	for _, p := range []process{s.Supervisor, s.Power} {
		if p.PID == me {
			continue
		}
		if err := end(p); err != nil {
			return err
		}
	}
	if err := endGroups(s); err != nil {
		return err
	}
	if err := waitReleased(s.Images, nil, downLimit); err != nil {
		return err
	}
	if err := removeGroups(s.Groups, downLimit); err != nil {
		return err
	}
	// A mount only in the power role's own namespace; elsewhere there is nothing to undo.
	_ = unix.Unmount(imagesDir(s.Dir), unix.MNT_DETACH)
	if err := removeFolder(s.Dir); err != nil {
		return err
	}
	return endScope(s.Scope) // ends this process too, if it is in there
}

// end kills a process and waits for its end.
func end(p process) error {
	if p.PID == 0 {
		return nil
	}
	f, err := proc.OpenPidfd(p.PID, p.Start)
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := proc.KillPidfd(f); err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for until := time.Now().Add(downLimit); time.Now().Before(until); {
		if n, err := unix.Poll(fds, 100); n > 0 || (err != nil && err != unix.EINTR) {
			return nil
		}
	}
	return fmt.Errorf("end pid %d of lab: it does not die", p.PID)
}

// endGroups kills all that lives in the lab's groups. Processes that a v1
// freezer holds die only once they are thawed.
func endGroups(s State) error {
	if len(s.Groups) == 0 {
		return nil
	}
	if err := cgroup.Kill(s.Groups[0]); err != nil {
		return err
	}
	for _, f := range s.Freezers {
		if err := thaw(f); err != nil {
			return err
		}
	}
	return cgroup.WaitEmpty(s.Groups[0], downLimit)
}

// thaw thaws a v1 freezer's group and all below it.
func thaw(group string) error {
	err := filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = cgroup.Write(path, "freezer.state", "THAWED") // it may be gone meanwhile
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("thaw %s: %w", group, err)
	}
	return nil
}

// removeFolder removes the lab's folder, the state file last.
func removeFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove folder of lab: %w", err)
	}
	for _, e := range entries {
		if e.Name() == "lab.json" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove folder of lab: %w", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove folder of lab: %w", err)
	}
	// The folders above are shared by all labs: they go with the last one.
	_ = os.Remove(base)
	_ = os.Remove(filepath.Dir(base))
	return nil
}
