package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// control is where the manager looks for units before it looks in /etc,
// systemd.unit(5): a mask there holds for a unit whose file is in /etc as well,
// which one in /run/systemd/system, made by systemctl mask --runtime, does not.
// It is gone with the next boot.
const control = "/run/systemd/system.control"

// nothing is what a masked unit's file is a link to, systemd.unit(5).
const nothing = "/dev/null"

// MaskPath is where Mask masks a unit.
func MaskPath(unit string) string { return filepath.Join(control, unit) }

// Mask masks a unit until Unmask, or the next boot: nothing starts it then.
// fs.ErrExist if something is there already. It counts from the next Reload on.
func Mask(unit string) error {
	err := os.MkdirAll(control, 0o755)
	if err == nil {
		err = os.Symlink(nothing, MaskPath(unit))
	}
	if err != nil {
		return fmt.Errorf("mask unit %s: %w", unit, err)
	}
	return nil
}

// ErrForeign says that something else is where Mask made its mask.
var ErrForeign = errors.New("somebody put something else there")

// Masked says whether a mask of Mask's is there.
func Masked(unit string) (bool, error) {
	to, err := os.Readlink(MaskPath(unit))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil || to != nothing:
		return false, fmt.Errorf("read mask %s: %w", MaskPath(unit), ErrForeign)
	}
	return true, nil
}

// Unmask takes a mask of Mask's away; none is fine. It counts from the next
// Reload on.
func Unmask(unit string) error {
	masked, err := Masked(unit)
	if err != nil || !masked {
		return err
	}
	if err := os.Remove(MaskPath(unit)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("unmask unit %s: %w", unit, err)
	}
	_ = os.Remove(control) // others keep it
	return nil
}
