package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Life is a service from one start to its end.
type Life struct {
	Active     string      `json:"active"`          // the state of the unit
	Invocation string      `json:"invocation"`      // systemd's name for it
	Main       *process.ID `json:"main,omitempty"`  // its main process, if it has one
	Group      string      `json:"group,omitempty"` // its control group
}

// lifeOf reads what of the unit runs. A main process that ended just now is none.
func lifeOf(u systemd.Unit) (Life, error) {
	l := Life{Active: u.Active, Invocation: u.Invocation, Group: u.Group}
	if u.MainPID == 0 {
		return l, nil
	}
	main, err := process.Read(u.MainPID)
	if errors.Is(err, process.ErrEnded) {
		return l, nil
	}
	l.Main = &main
	return l, err
}

func (l Life) running() bool { return systemd.Unit{Active: l.Active}.Running() }

// over counts the lives that are over, on the kernel's word: the main process has
// ended (pidfd_open(2)), and the group has no process unless another life began
// there.
func over(ctx context.Context, unit string, list []Life) (n int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	now, err := current(ctx, unit)
	if err != nil {
		return 0, err
	}
	for _, l := range list {
		ended, err := l.over(now)
		if err != nil {
			return n, err
		}
		if ended {
			n++
		}
	}
	return n, nil
}

// over says whether l has ended, while the unit is as now.
func (l Life) over(now Life) (bool, error) {
	if l.Main != nil {
		if ended, err := l.Main.Ended(); err != nil || !ended {
			return false, err
		}
	}
	if now.running() {
		return now.Invocation != l.Invocation, nil
	}
	left, err := processes(l.Group)
	return left == 0, err
}

// current is the unit as it is now.
func current(ctx context.Context, unit string) (Life, error) {
	u, err := unitOf(ctx, unit)
	if err != nil {
		return Life{}, err
	}
	return lifeOf(u)
}

// processes counts those of a unit's control group, and of groups below it; none
// if it is gone.
func processes(at string) (int, error) {
	g, ok, err := group.OfUnit(at)
	if err != nil || !ok {
		return 0, err
	}
	pids, err := g.Processes()
	return len(pids), err
}

// File identifies the file of a unit: one that was replaced or written to has
// another inode or time.
type File struct {
	Path     string `json:"path,omitempty"`
	Inode    uint64 `json:"inode,omitempty"`
	Modified int64  `json:"modified,omitempty"` // ns since 1970
}

func identify(path string) (File, error) {
	f := File{Path: path}
	if path == "" {
		return f, nil
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return f, fmt.Errorf("identify unit file: %w", &fs.PathError{Op: "stat", Path: path, Err: err})
	}
	f.Inode, f.Modified = st.Ino, st.Mtim.Nano()
	return f, nil
}

// changed says what happened to the file since; "" if nothing did.
func (f File) changed() string {
	now, err := identify(f.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "its file " + f.Path + " is gone"
	case err == nil && now != f:
		return "its file " + f.Path + " was changed meanwhile"
	}
	return ""
}
