package vmtest

import (
	"errors"
	"fmt"
	"os"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// dataSize is what the disk without a file system can hold.
const dataSize = 256 << 20

// emptyDisk makes a disk that is for the test to use.
func emptyDisk(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make empty disk: %w", err)
	}
	return errors.Join(f.Truncate(dataSize), f.Close())
}

// writeDisk makes a file system image that holds what is in folder, mke2fs(8).
func writeDisk(path, folder string) error {
	p, err := proc.Start(proc.Spec{
		Path: "/sbin/mke2fs", Args: []string{"-q", "-F", "-t", "ext4", "-m", "0", "-d", folder, path, "1G"}, Stderr: os.Stderr,
	})
	if err != nil {
		return err
	}
	if code, err := p.Wait(); err != nil || code != 0 {
		return fmt.Errorf("make disk of %s: exit code %d: %w", folder, code, err)
	}
	return nil
}
