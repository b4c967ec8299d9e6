package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// mkfsFolders is where mkfs.ext4 is looked for, and nowhere else.
var mkfsFolders = []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"}

func findMkfs() (string, error) {
	for _, dir := range mkfsFolders {
		path := filepath.Join(dir, "mkfs.ext4")
		if st, err := os.Stat(path); err == nil && st.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", errors.New("find mkfs.ext4: it is in none of " + strings.Join(mkfsFolders, ", ") + "; install e2fsprogs")
}

// FindMkfs says whether this machine has the program that formats disk images.
func FindMkfs() error {
	_, err := findMkfs()
	return err
}

// format makes the disk images of all hosts.
func (c *controller) format() error {
	mkfs, err := findMkfs()
	if err != nil {
		return err
	}
	return c.each(func(m *machine) error {
		if err := os.MkdirAll(filepath.Dir(image(c.spec.Dir, m.spec.Name, "")), 0o700); err != nil {
			return fmt.Errorf("make folder of disk images: %w", err)
		}
		for _, d := range disks {
			if err := formatImage(mkfs, image(c.spec.Dir, m.spec.Name, d.name), d.size); err != nil {
				return err
			}
		}
		return nil
	})
}

func formatImage(mkfs, path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make disk image: %w", err)
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return fmt.Errorf("size disk image: %w", err)
	}
	// Without lazy initialisation no kernel thread writes to the disk later on.
	p, err := proc.Start(proc.Spec{Path: mkfs, Args: []string{"-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", path}, Stderr: os.Stderr})
	if err != nil {
		return err
	}
	code, err := p.Wait()
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("format disk image %s: mkfs.ext4 exited with %d", path, code)
	}
	return nil
}

// attach connects an open image to a free loop device that detaches itself
// when its last user is gone, and returns the open device. The image is opened
// by the power role: the kernel names a device's image as that mount namespace
// sees it, and the host's own lets go of the folder.
func attach(backing *os.File, image string) (*os.File, error) {
	ctl, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("attach disk image: %w", err)
	}
	defer ctl.Close()
	// Somebody else may take the free device first.
	for range 100 {
		n, err := unix.IoctlRetInt(int(ctl.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find free loop device: %w", err)
		}
		dev, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("open loop device: %w", err)
		}
		cfg := unix.LoopConfig{Fd: uint32(backing.Fd())}
		cfg.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		copy(cfg.Info.File_name[:len(cfg.Info.File_name)-1], image)
		err = unix.IoctlLoopConfigure(int(dev.Fd()), &cfg)
		if err == nil {
			return dev, nil
		}
		_ = dev.Close()
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENXIO) {
			return nil, fmt.Errorf("attach %s to /dev/loop%d: %w", image, n, err)
		}
	}
	return nil, fmt.Errorf("attach %s: every free loop device was taken first", image)
}

// loopsOf lists the loop devices whose backing file starts with prefix.
func loopsOf(prefix string) ([]string, error) {
	found, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, fmt.Errorf("list loop devices: %w", err)
	}
	var loops []string
	for _, f := range found {
		b, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list loop devices: %w", err)
		}
		if strings.HasPrefix(string(b), prefix) {
			loops = append(loops, strings.Split(f, "/")[3])
		}
	}
	return loops, nil
}

// waitReleased waits until no loop device is backed by a file starting with
// prefix any more: a device detaches itself after its super block is gone.
func waitReleased(prefix string, loops []string, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(2 * time.Millisecond) {
		busy, err := loopsOf(prefix)
		if err != nil || len(busy) == 0 {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("wait until disks are released: %s still in use (of %s): another mount namespace may hold a copy of the mount", strings.Join(busy, " "), strings.Join(loops, " "))
		}
	}
}
