// Package filesystemtest gives the tests of faults that act on file systems a
// file system on a loop device.
package filesystemtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// Ext4 makes an ext4 file system of size bytes on a loop device of its own and
// mounts it; both go with the test. device is like /dev/loop7.
func Ext4(t testing.TB, size int64, options ...string) (dir, device string) {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	image := imageOf(t, size)
	defer image.Close()
	mkfs := "/usr/sbin/mkfs.ext4"
	if _, err := os.Stat(mkfs); err != nil {
		mkfs = "/sbin/mkfs.ext4"
	}
	p, err := proc.Start(proc.Spec{Path: mkfs, Args: append(append([]string{"-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"}, options...), image.Name()), Stderr: os.Stderr})
	faulttest.Must(t, err)
	if code, err := p.Wait(); err != nil || code != 0 {
		t.Fatalf("mkfs.ext4: exit code %d, %v", code, err)
	}
	loop := attach(t, image)
	defer loop.Close()
	dir = filepath.Join(t.TempDir(), "disk")
	faulttest.Must(t, os.Mkdir(dir, 0o755))
	faulttest.Must(t, unix.Mount(loop.Name(), dir, "ext4", 0, ""))
	t.Cleanup(func() { unmount(t, dir) })
	return dir, loop.Name()
}

// Listing is a file system as it is found, for faulttest.Measured: its mount, its
// files, and what is free.
func Listing(t testing.TB, dir string) []string {
	t.Helper()
	faulttest.Must(t, syncfs(dir)) // what was just deleted is free after that
	var s unix.Statfs_t
	faulttest.Must(t, unix.Statfs(dir, &s))
	return append(faulttest.Listing(t, []string{dir}, dir), fmt.Sprintf("free blocks=%d available=%d inodes=%d", s.Bfree, s.Bavail, s.Ffree))
}

func syncfs(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}

// Device makes a loop device of size bytes, which goes with the test: its path,
// like /dev/loop7, and its number, like 7:7.
func Device(t testing.TB, size int64) (path, number string) {
	t.Helper()
	need.Check(t, need.Root, need.Loop)
	image := imageOf(t, size)
	defer image.Close()
	loop := attach(t, image)
	t.Cleanup(func() { _ = loop.Close() })
	var st unix.Stat_t
	faulttest.Must(t, unix.Fstat(int(loop.Fd()), &st))
	return loop.Name(), fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
}

// imageOf makes an image in memory, which goes with the test.
func imageOf(t testing.TB, size int64) *os.File {
	image, err := os.CreateTemp("/dev/shm", digesttest.Name()+"-*.img")
	faulttest.Must(t, err)
	t.Cleanup(func() { _ = os.Remove(image.Name()) })
	faulttest.Must(t, image.Truncate(size))
	return image
}

// attach connects the image to a free loop device, which goes with its last user.
func attach(t testing.TB, image *os.File) *os.File {
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	faulttest.Must(t, err)
	defer ctl.Close()
	for range 100 { // somebody else may take the free device first
		n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
		faulttest.Must(t, err)
		loop, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		faulttest.Must(t, err)
		cfg := unix.LoopConfig{Fd: uint32(image.Fd())}
		cfg.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		copy(cfg.Info.File_name[:], image.Name())
		if err = unix.IoctlLoopConfigure(int(loop.Fd()), &cfg); err == nil {
			return loop
		}
		_ = loop.Close()
	}
	t.Fatal("attach image: every free loop device was taken first")
	return nil
}

func unmount(t testing.TB, dir string) {
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := unix.Unmount(dir, 0)
		if err == nil || errors.Is(err, unix.EINVAL) { // EINVAL: it is not mounted
			return
		}
		if time.Now().After(end) {
			t.Errorf("unmount %s: %v", dir, errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH)))
			return
		}
	}
}

// inOwnMounts marks a test binary that OwnMounts has run anew.
const inOwnMounts = "FIREDRILL_TEST_OWN_MOUNTS"

// OwnMounts runs the test anew in a process with a mount namespace of its own, beside
// other tests, and returns true there; the test does the rest only then. No program of the machine
// can hold a file system that is mounted there.
func OwnMounts(t *testing.T) bool {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	if os.Getenv(inOwnMounts) != "" {
		return true
	}
	t.Parallel()
	runtime.LockOSThread() // the kernel kills the child when the thread that made it ends
	defer runtime.UnlockOSThread()
	out, err := os.CreateTemp(t.TempDir(), "out")
	faulttest.Must(t, err)
	defer out.Close()
	p, err := proc.Start(proc.Spec{
		Path: proc.Self, Args: []string{"-test.run=^" + t.Name() + "$", "-test.v"}, Env: append(os.Environ(), inOwnMounts+"=1"),
		Stdout: out, Stderr: out, Attr: &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL},
	})
	faulttest.Must(t, err)
	code, err := p.Wait()
	text, _ := os.ReadFile(out.Name())
	if err != nil || code != 0 {
		t.Fatalf("in mounts of its own: exit code %d, %v\n%s", code, err, text)
	}
	t.Logf("in mounts of its own:\n%s", text)
	return false
}
