package keep

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// folder is where marks lie: below /run, which a boot clears.
const folder = "/run/firedrill/marks"

// ErrNoMark says that a mark was removed, or never made.
var ErrNoMark = errors.New("no mark")

// NewOwner draws what tells one injection's mark from all others.
func NewOwner() string { return rand.Text() }

// Mark is a file that says what one injection did so far, as JSON.
//
// A process that was killed stays killed, and no kernel object says that a fault
// did it. The mark says so. It is made before the first effect and removed by
// Revert, whichever process calls that.
type Mark[V any] struct{ kind, owner string }

// MarkOf is the mark of an injection; owner was drawn by NewOwner in Prepare.
func MarkOf[V any](kind fault.Kind, owner string) Mark[V] { return Mark[V]{string(kind), owner} }

func (m Mark[V]) path() string { return filepath.Join(folder, m.kind+"-"+filepath.Base(m.owner)) }

// fresh is where a mark is written before it is one: a process that is killed
// leaves the old mark, or none, and never half of one.
func (m Mark[V]) fresh() string { return m.path() + ".new" }

// Make makes the mark; one that is there is kept, and made is false then.
func (m Mark[V]) Make(v V) (made bool, err error) {
	writing.Lock()
	defer writing.Unlock()
	for range 3 { // somebody may remove the empty folder just now
		if err = os.MkdirAll(folder, 0o700); err != nil {
			return false, fmt.Errorf("make folder of marks: %w", err)
		}
		if err = m.write(v); err == nil {
			err = os.Link(m.fresh(), m.path())
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	_ = os.Remove(m.fresh()) // else Remove does
	switch {
	case errors.Is(err, fs.ErrExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("make mark: %w", err)
	}
	return true, nil
}

// Update writes v to a mark that is there; ErrNoMark if it is not: what was
// reverted is never marked again.
func (m Mark[V]) Update(v V) error {
	writing.Lock()
	defer writing.Unlock()
	err := m.write(v)
	if err == nil {
		// The exchange fails where there is nothing to exchange with.
		err = unix.Renameat2(unix.AT_FDCWD, m.fresh(), unix.AT_FDCWD, m.path(), unix.RENAME_EXCHANGE)
		_ = os.Remove(m.fresh())
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoMark
	}
	if err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	return nil
}

// writing keeps two writers of one mark apart; only one process has one.
var writing sync.Mutex

func (m Mark[V]) write(v V) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode mark: %w", err)
	}
	return os.WriteFile(m.fresh(), text, 0o600)
}

// Read reads the mark; ErrNoMark if there is none.
func (m Mark[V]) Read() (v V, err error) {
	text, err := os.ReadFile(m.path())
	if errors.Is(err, fs.ErrNotExist) {
		return v, ErrNoMark
	}
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return v, fmt.Errorf("read mark: %w", err)
	}
	return v, nil
}

// Remove removes the mark, and the folder with the last one. One that is gone is
// no error.
func (m Mark[V]) Remove() error {
	for _, path := range []string{m.path(), m.fresh()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove mark: %w", err)
		}
	}
	_ = os.Remove(folder) // other marks keep it
	return nil
}
