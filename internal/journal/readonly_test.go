package journal

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk that an error made read-only keeps nobody from reverting: the lock can
// be taken, what is live be read, and nothing new is taken.
func TestReadOnlyDisk(t *testing.T) {
	err := onSmallDisk(t, "1m", func(dir string) error {
		lock, err := TakeLock(context.Background(), LockPath(dir))
		if err != nil {
			return err
		}
		j, err := Open(Path(dir))
		if err != nil {
			return err
		}
		if err := errors.Join(j.Intent(Record{ID: "a", Kind: "fake"}), j.Close(), lock.Release()); err != nil {
			return err
		}
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			return err
		}
		if lock, err = TakeLock(context.Background(), LockPath(dir)); err != nil {
			return err
		}
		defer func() { _ = lock.Release() }()
		if j, err = Open(Path(dir)); err != nil {
			return err
		}
		defer func() { _ = j.Close() }()
		if len(j.Live()) != 1 || j.Err() == nil {
			t.Errorf("live %v, takes new ones: %v", j.Live(), j.Err())
		}
		if err := j.Ended("a", Reverted, ByStart, nil); err == nil || len(j.Live()) != 0 {
			t.Errorf("recorded on a read-only disk: %v, live %v", err, j.Live())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
