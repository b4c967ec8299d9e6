package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Find returns the lab with this id; with "" the only standing lab of this
// user. ErrNoLab if there is none.
func Find(id string) (*Lab, error) {
	all, err := List()
	if err != nil {
		return nil, err
	}
	if id != "" {
		if i := slices.IndexFunc(all, func(l *Lab) bool { return l.ID() == id }); i >= 0 {
			return all[i], nil
		}
		return nil, fmt.Errorf("find lab %q: %w: injector lab status lists what there is", id, ErrNoLab)
	}
	all = slices.DeleteFunc(all, func(l *Lab) bool { return !l.state.Standing || l.state.UID != user() })
	switch len(all) {
	case 0:
		return nil, fmt.Errorf("find standing lab: %w: raise one with injector lab up FILE", ErrNoLab)
	case 1:
		return all[0], nil
	}
	return nil, fmt.Errorf("find standing lab: there are %d: say which (injector lab status lists them)", len(all))
}

// List returns all labs of this machine whose owner lives.
func List() ([]*Lab, error) {
	all, err := states()
	if err != nil {
		return nil, err
	}
	var labs []*Lab
	for _, s := range all {
		if !s.Owner.gone() {
			labs = append(labs, &Lab{state: s})
		}
	}
	return labs, nil
}

// Standing says whether the lab stays until it is taken down.
func (l *Lab) Standing() bool { return l.state.Standing }

// Owner is the pid of the process whose end takes the lab down.
func (l *Lab) Owner() int { return l.state.Owner.PID }

// DownAll takes down this user's standing labs and every lab whose owner is
// gone, and returns the ids of the standing ones.
func DownAll() ([]string, error) {
	all, err := List()
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, l := range all {
		if !l.state.Standing || l.state.UID != user() {
			continue
		}
		if err := l.Down(); err != nil {
			return ids, err
		}
		ids = append(ids, l.ID())
	}
	return ids, Janitor()
}

// fresh is how old a folder without a state file is at least before it counts
// as left behind: its maker writes the file right after it made the folder.
const fresh = time.Minute

// Janitor removes the labs whose owner is gone and nothing else. A lab whose
// supervisor lives is being taken down by it already; doing it twice is harmless.
func Janitor() error {
	all, err := states()
	errs := []error{err}
	for _, s := range all {
		if !s.Owner.gone() {
			continue
		}
		if err := takeDown(s); err != nil {
			errs = append(errs, fmt.Errorf("remove lab %s whose owner is gone: %w", s.ID, err))
		}
	}
	return errors.Join(append(errs, removeEmpty())...)
}

// removeEmpty removes folders of labs that never got as far as a state file.
func removeEmpty() error {
	entries, err := os.ReadDir(base)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("list labs: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) < fresh {
			continue
		}
		// Only an empty folder goes this way.
		_ = os.Remove(filepath.Join(base, e.Name()))
	}
	return nil
}
