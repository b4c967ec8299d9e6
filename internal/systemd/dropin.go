package systemd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// DropIn is a piece of configuration of a unit that is gone with the next boot,
// systemd.unit(5). The manager reads it with the next Reload, whoever asks for
// that, and not before.
type DropIn struct {
	Unit string `json:"unit"`
	Name string `json:"name"` // of the file; the last in the alphabet counts
	Text string `json:"text"`
}

func (d DropIn) folder() string { return filepath.Join(control, d.Unit+".d") }

// Path is where the file is.
func (d DropIn) Path() string { return filepath.Join(d.folder(), d.Name) }

// Write writes the file; the same one that is there already is fine, another one
// is ErrForeign.
func (d DropIn) Write() error {
	if err := os.MkdirAll(d.folder(), 0o755); err != nil {
		return fmt.Errorf("write drop-in: %w", err)
	}
	f, err := os.OpenFile(d.Path(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		text, err := os.ReadFile(d.Path())
		if err == nil && string(text) != d.Text {
			err = fmt.Errorf("write drop-in %s: %w", d.Path(), ErrForeign)
		}
		return err
	}
	if err != nil {
		return fmt.Errorf("write drop-in: %w", err)
	}
	_, err = f.WriteString(d.Text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write drop-in: %w", err)
	}
	return nil
}

// Remove removes the file, and has the manager forget it if it was read meanwhile;
// reloaded says so. One that is gone is fine, also where the manager still has it.
func (d DropIn) Remove(ctx context.Context) (reloaded bool, err error) {
	if err := os.Remove(d.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("remove drop-in: %w", err)
	}
	for _, folder := range []string{d.folder(), control} {
		_ = os.Remove(folder) // others keep it
	}
	m, err := Open(ctx)
	if err != nil {
		return false, err
	}
	defer m.Close()
	u, err := m.Unit(ctx, d.Unit)
	if err != nil || !slices.Contains(u.DropIns, d.Path()) {
		return false, err
	}
	return true, m.Reload(ctx)
}
