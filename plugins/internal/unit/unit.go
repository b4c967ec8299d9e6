// Package unit holds services of systemd down for a while, and starts them again.
//
// The hold is a drop-in of ours in /run, which any start of the unit fails on, also
// one that Restart= asks for; a mask in /run would not count for a unit whose file
// is in /etc. It goes with the next boot at the latest. What runs goes on: the hold
// touches no process.
package unit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/firedrill-io/firedrill/internal/systemd"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/group"
)

// Unit is a service that was active.
type Unit struct {
	Name string `json:"name"` // db.service
	// Folder says that the unit had a folder for drop-ins in /run.
	Folder bool `json:"folder,omitempty"`
}

// Units are held together.
type Units []Unit

// root is where units of this boot are; systemd.unit(5).
var root = "/run/systemd/system"

// The files in a unit's folder: the drop-in, and the file on which it depends.
const (
	dropIn = "firedrill-powerloss.conf"
	held   = "firedrill-held"
)

func (u Unit) file(name string) string { return filepath.Join(root, u.Name+".d", name) }

// Of lists the active services whose control groups are g or below it. Without
// systemd there are none.
func Of(g group.Group) (all Units, err error) {
	if !systemd.Running() {
		return nil, nil
	}
	err = filepath.WalkDir(g.Dir(), func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || !strings.HasSuffix(dir, ".service") {
			return err
		}
		u := Unit{Name: filepath.Base(dir)}
		up, err := systemd.Up(u.Name)
		if err != nil || !up {
			return err
		}
		_, err = os.Stat(u.file(""))
		u.Folder = err == nil
		all = append(all, u)
		return fs.SkipDir // what is below belongs to the service
	})
	if err != nil {
		return nil, fmt.Errorf("list services of %s: %w", g.Path, err)
	}
	return all, nil
}

// Held says whether the hold is in place on any of the units, also half.
func (all Units) Held() bool {
	for _, u := range all {
		for _, name := range []string{dropIn, held} {
			if _, err := os.Stat(u.file(name)); err == nil {
				return true
			}
		}
	}
	return false
}

// Free returns fault.ErrChanged if somebody holds the units down already.
func (all Units) Free() error {
	if all.Held() {
		return fmt.Errorf("%w: another fault holds %s down", fault.ErrChanged, all)
	}
	return nil
}

func (all Units) String() string {
	names := make([]string, len(all))
	for i, u := range all {
		names[i] = u.Name
	}
	return strings.Join(names, ", ")
}

// Hold keeps the units from being started.
func (all Units) Hold() error {
	for _, u := range all {
		text := "# Firedrill keeps this unit down until the power is back.\n[Unit]\nAssertPathExists=!" + u.file(held) + "\n"
		err := errors.Join(os.MkdirAll(u.file(""), 0o755), os.WriteFile(u.file(held), nil, 0o644), os.WriteFile(u.file(dropIn), []byte(text), 0o644))
		if err != nil {
			return fmt.Errorf("hold %s down: %w", u.Name, err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return systemd.Reload()
}

// Release starts the units that are held down and takes the hold away; the drop-in
// goes last, so that a release that was cut short is seen. Units that run are
// started anew only if their processes were killed just now, which the manager may
// not have noticed.
func (all Units) Release(killed bool) error {
	if !all.Held() {
		return nil
	}
	var errs []error
	for _, u := range all {
		if _, err := os.Stat(u.file(dropIn)); err == nil {
			errs = append(errs, u.start(killed))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, u := range all {
		errs = append(errs, remove(u.file(held)), remove(u.file(dropIn)))
		if !u.Folder {
			_ = os.Remove(u.file("")) // somebody else may have put something there
		}
	}
	return errors.Join(append(errs, systemd.Reload())...)
}

func (u Unit) start(killed bool) error {
	if err := remove(u.file(held)); err != nil {
		return err
	}
	up, err := systemd.Up(u.Name)
	if err != nil || up && !killed {
		return err
	}
	return systemd.Restart(u.Name)
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release unit: %w", err)
	}
	return nil
}
