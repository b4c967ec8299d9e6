package keep

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

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

// Make makes the mark; one that is there is kept, and made is false then.
func (m Mark[V]) Make(v V) (made bool, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return false, fmt.Errorf("encode mark: %w", err)
	}
	for range 3 { // somebody may remove the empty folder just now
		if err = os.MkdirAll(folder, 0o700); err != nil {
			return false, fmt.Errorf("make folder of marks: %w", err)
		}
		f, err := os.OpenFile(m.path(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if errors.Is(err, fs.ErrExist) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("make mark: %w", err)
		}
		_, err = f.Write(text)
		if err := errors.Join(err, f.Close()); err != nil {
			return false, fmt.Errorf("make mark: %w", err)
		}
		return true, nil
	}
	return false, fmt.Errorf("make mark: %w", err)
}

// Update writes v to a mark that is there; ErrNoMark if it is not: what was
// reverted is never marked again.
func (m Mark[V]) Update(v V) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode mark: %w", err)
	}
	f, err := os.OpenFile(m.path(), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoMark
	}
	if err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	_, err = f.WriteAt(text, 0)
	if err := errors.Join(err, f.Truncate(int64(len(text))), f.Close()); err != nil {
		return fmt.Errorf("write mark: %w", err)
	}
	return nil
}

// Read reads the mark; ErrNoMark if there is none.
func (m Mark[V]) Read() (v V, err error) {
	for range 5 { // it may be half written just now
		var text []byte
		text, err = os.ReadFile(m.path())
		if errors.Is(err, fs.ErrNotExist) {
			return v, ErrNoMark
		}
		if err != nil {
			return v, fmt.Errorf("read mark: %w", err)
		}
		v = *new(V)
		if err = json.Unmarshal(text, &v); err == nil {
			return v, nil
		}
		time.Sleep(time.Millisecond)
	}
	return v, fmt.Errorf("read mark: %w", err)
}

// Remove removes the mark, and the folder with the last one. One that is gone is
// no error.
func (m Mark[V]) Remove() error {
	if err := os.Remove(m.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove mark: %w", err)
	}
	_ = os.Remove(folder) // other marks keep it
	return nil
}
