package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else holds the lock.
var ErrLocked = errors.New("lock held by another process")

// Lock is held by whoever may change the host and write the journal: agent,
// guardian, a self-reverting plugin, revert --all. It is an flock(2) on a file
// of its own, so that replacing the journal does not lose it; the kernel lets
// go of it when its holder dies.
type Lock struct{ f *os.File }

// LockPath is the lock's file under an agent's root folder.
func LockPath(root string) string { return filepath.Join(root, "lock") }

// Path is the journal's file under an agent's root folder.
func Path(root string) string { return filepath.Join(root, "journal") }

// TakeLock takes the lock at path, waiting until ctx ends. Then it returns ErrLocked.
func TakeLock(ctx context.Context, path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, unix.EROFS) {
		f, err = os.Open(path) // flock(2) needs no right to write, and reverting must go on
	}
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return &Lock{f: f}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			_ = f.Close()
			return nil, fmt.Errorf("take lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("take lock %s: %w", path, ErrLocked)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Release lets go of the lock.
func (l *Lock) Release() error { return l.f.Close() }
