package powerloss

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/connection"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// The steps of a power-on after which a test may end the process.
const (
	stepSilenced  = "silenced" // no connection of the groups is left
	stepKilled    = "killed"
	stepUnmounted = "unmounted"
	stepMounted   = "mounted"
	stepStarted   = "started"
)

// revert gives the power back. What was only dark or frozen goes on as it was; what
// lost a disk is taken to its end and started anew. Everything that it decides by is
// read from the host, so that it may be cut short anywhere and begun again.
func (m workloadMode) revert(ctx context.Context, t fault.Target, c Change) error {
	w := c.Workload
	if w == nil {
		return errNoWorkload
	}
	if err := process.SameBoot(t); err != nil {
		return err
	}
	lost, err := w.lost(t)
	if err != nil {
		return err
	}
	if lost {
		if err := m.end(t, w); err != nil {
			return err // still dark: a process that lives on would tell its peers
		}
	}
	errs := []error{w.thaw(t)}
	if lost {
		errs = append(errs, m.mountAgain(w))
	}
	if errors.Join(errs...) == nil {
		errs = append(errs, w.Units.Release(lost))
		m.pass(stepStarted)
	}
	// Whatever went wrong with the disks: who has to mend it needs the network.
	if err := m.network.Revert(ctx, t, w.Network); !errors.Is(err, fault.ErrGone) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// lost says whether the power has gone, so that there is no way back but a new
// start: a file system is cut off or not mounted as it was; without any, that the
// groups stand still.
func (w *workload) lost(t fault.Target) (bool, error) {
	frozen := false
	for _, f := range w.Groups {
		asked, err := f.Asked(t)
		if err != nil && !errors.Is(err, fault.ErrGone) {
			return false, err
		}
		frozen = frozen || asked
	}
	if len(w.FileSystems) == 0 {
		return frozen, nil
	}
	for _, f := range w.FileSystems {
		live, err := f.Live(true)
		if err != nil || !live {
			return true, err
		}
	}
	return false, nil
}

// end takes connections and processes away, so that nobody hears of it.
func (m workloadMode) end(t fault.Target, w *workload) error {
	if err := w.disconnect(); err != nil {
		return err
	}
	m.pass(stepSilenced)
	var errs []error
	for _, f := range w.Groups {
		if err := f.Kill(t, deadLimit); !errors.Is(err, fault.ErrGone) {
			errs = append(errs, err)
		}
	}
	m.pass(stepKilled)
	return errors.Join(errs...)
}

// disconnect destroys the TCP connections of the groups' processes. By themselves
// they would say good-bye to their peers, again and again, until these hear it.
func (w *workload) disconnect() error {
	inside := map[uint64]map[uint32]bool{} // sockets, by network namespace
	spaces := map[uint64]*netns.NS{}
	defer func() {
		for _, ns := range spaces {
			_ = ns.Close()
		}
	}()
	for _, f := range w.Groups {
		pids, err := f.Group.Processes()
		if err != nil {
			return err
		}
		for _, pid := range pids {
			ns, err := netns.Open(filepath.Join("/proc", strconv.Itoa(pid), "ns/net"))
			if err != nil {
				continue // it has ended
			}
			n := ns.Inode()
			if spaces[n] == nil {
				spaces[n], inside[n] = ns, map[uint32]bool{}
			} else {
				_ = ns.Close()
			}
			for _, inode := range socketsOf(pid) {
				inside[n][inode] = true
			}
		}
	}
	for n, ns := range spaces {
		if err := ns.Do(func() error { return destroy(inside[n]) }); err != nil {
			return err
		}
	}
	return nil
}

// socketsOf lists the inodes of a process's sockets.
func socketsOf(pid int) (inodes []uint32) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, _ := os.ReadDir(dir) // a process that has ended has none
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		number, ok := strings.CutPrefix(to, "socket:[")
		n, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 32)
		if ok && err == nil {
			inodes = append(inodes, uint32(n))
		}
	}
	return inodes
}

// destroy ends the connections of the calling thread's network namespace whose
// sockets are given. What a listening socket has not handed out yet goes with it.
func destroy(sockets map[uint32]bool) error {
	all, err := connection.List(func(s connection.State) bool { return s != connection.Listen })
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Inode == 0 || !sockets[c.Inode] {
			continue
		}
		if _, err := c.Destroy(); err != nil {
			return err
		}
	}
	return nil
}

// mountAgain brings all file systems back that are not as they were.
func (m workloadMode) mountAgain(w *workload) error {
	for _, f := range w.FileSystems {
		live, err := f.Live(true)
		if err != nil {
			return err
		}
		if live && f.Same() == nil {
			continue // by a revert that was cut short
		}
		if err := errors.Join(f.Keep(), f.Unmount()); err != nil {
			return err
		}
		m.pass(stepUnmounted)
		if err := f.Remount(); err != nil {
			return fmt.Errorf("%w; its data is on %s", err, f.Source)
		}
		m.pass(stepMounted)
	}
	return nil
}
