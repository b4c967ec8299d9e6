package group

import (
	"errors"
	"fmt"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Setting is one file of a group: what it holds and what it will hold. Both are
// the kernel's own text, so that what is put back is what was there, byte by byte.
type Setting struct {
	Group  Group  `json:"group"`
	File   string `json:"file"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Now reads the file; fault.ErrGone if the group is not the record's.
func (s Setting) Now(t fault.Target) (string, error) {
	if err := s.Group.Check(t); err != nil {
		return "", err
	}
	text, err := cgroup.Read(s.Group.Dir(), s.File)
	if gone(err) {
		return "", fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	return text, err
}

// Apply writes After. It writes nothing if the file holds neither value
// (fault.ErrChanged) or if the group came to hold what must be spared.
func (s Setting) Apply(t fault.Target) error {
	switch now, err := s.Now(t); {
	case err != nil:
		return err
	case now == s.After:
		return nil // again, or a renewal
	case now != s.Before:
		return fmt.Errorf("%w: %s of %s is %s, it was %s", fault.ErrChanged, s.File, s.Group.Path, now, s.Before)
	}
	if err := s.Group.spared(""); err != nil {
		return err
	}
	if err := s.write(s.After); err != nil {
		return err
	}
	now, err := s.Now(t)
	if err == nil && now != s.After {
		// A value that can't be told from somebody else's could not be reverted.
		err = errors.Join(s.write(s.Before), fmt.Errorf("write %s of %s: the kernel made %q of %q; it was put back", s.File, s.Group.Path, now, s.After))
	}
	return err
}

// Holds says whether the file holds After.
func (s Setting) Holds(t fault.Target) bool {
	now, err := s.Now(t)
	return err == nil && now == s.After
}

// Revert writes Before if the file holds After; fault.ErrStuck if it holds
// somebody else's value.
func (s Setting) Revert(t fault.Target) error {
	switch now, err := s.Now(t); {
	case err != nil:
		return err
	case now == s.Before:
		return nil // never applied, or reverted before
	case now != s.After:
		return fmt.Errorf("%w: %s of %s is %s, ours was %s and before it %s", fault.ErrStuck, s.File, s.Group.Path, now, s.After, s.Before)
	}
	return s.write(s.Before)
}

// TakeBack writes Before if the file holds After, and leaves any other value: it
// ends a setting that was meant for a moment.
func (s Setting) TakeBack(t fault.Target) error {
	if now, err := s.Now(t); err != nil || now != s.After {
		return err
	}
	return s.write(s.Before)
}

// write changes the file of a group that is there. The library's Update would
// make the group anew if it had gone.
func (s Setting) write(text string) error {
	err := cgroup.Write(s.Group.Dir(), s.File, text)
	if gone(err) {
		return fmt.Errorf("%w: %w", fault.ErrGone, err)
	}
	return err
}
