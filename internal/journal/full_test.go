package journal

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/need"
)

// onSmallDisk calls do with a folder on a file system of size bytes that only
// its thread sees.
func onSmallDisk(t *testing.T, size string, do func(dir string) error) error {
	t.Helper()
	need.Check(t, need.Root)
	dir, result := t.TempDir(), make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread and its mounts end here
		result <- errors.Join(
			unix.Unshare(unix.CLONE_FS|unix.CLONE_NEWNS),
			unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
			unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size),
			do(dir),
		)
	}()
	return <-result
}

// fill writes until the disk is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	_ = f.Close()
	if !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return nil
}

// TestFullDisk: what was recorded can be ended on a full disk, and nothing new
// is taken.
func TestFullDisk(t *testing.T) {
	err := onSmallDisk(t, "1m", func(dir string) error {
		j, err := Open(filepath.Join(dir, "journal"))
		if err != nil {
			return err
		}
		defer func() { _ = j.Close() }()
		if err := errors.Join(j.Intent(intent("a")), j.Intent(intent("b")), fill(filepath.Join(dir, "filler"))); err != nil {
			return err
		}
		// Room was kept for ends, not for ever more injections.
		for n := 0; ; n++ {
			err := j.Intent(intent("more" + string(rune('a'+n))))
			if errors.Is(err, ErrUnusable) {
				break
			}
			if err != nil || n > 40 {
				return errors.Join(err, errors.New("a full disk takes injections without end"))
			}
		}
		for _, r := range j.Live() {
			if err := j.Ended(r.ID, Reverted, ByAgent, nil); err != nil {
				return err
			}
		}
		live, ended, bad, err := Read(filepath.Join(dir, "journal"))
		if len(live) != 0 || len(ended) < 2 || bad != nil {
			t.Errorf("live %v, ended %v, bad %v", phases(live), phases(ended), bad)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Without the room that is kept, an end does not fit: what the test above shows
// is the reserve's doing.
func TestFullDiskWithoutReserve(t *testing.T) {
	err := onSmallDisk(t, "1m", func(dir string) error {
		j, err := Open(filepath.Join(dir, "journal"))
		if err != nil {
			return err
		}
		defer func() { _ = j.Close() }()
		if err := errors.Join(j.Intent(intent("a")), os.Truncate(filepath.Join(dir, "journal"), j.log.Size()), fill(filepath.Join(dir, "filler"))); err != nil {
			return err
		}
		for range 200 { // the last block has room for some
			if j.Ended("a", Reverted, ByAgent, nil) != nil {
				return nil
			}
		}
		return errors.New("ends were recorded on a full disk without reserve")
	})
	if err != nil {
		t.Fatal(err)
	}
}
