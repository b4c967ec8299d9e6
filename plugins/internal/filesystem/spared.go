package filesystem

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Spared refuses, naming the parameter field, a file system without which the host
// can't be looked after, nor the fault be ended: one that carries a folder of the
// host, swap, or the disk image that the host or the agent's records are on.
func (f FileSystem) Spared(field string, t fault.Target) error {
	if folder := f.HostFolder(); folder != "" {
		return fault.Refuse(field, "%s also carries %s of the host itself; name a file system of the service alone", f.Mount, folder)
	}
	swaps, err := os.ReadFile("/proc/swaps")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list swap: %w", err)
	}
	for line := range strings.Lines(string(swaps)) {
		if w := strings.Fields(line); len(w) > 1 && w[1] == "file" && f.Carries(w[0]) {
			return fault.Refuse(field, "%s also carries the swap file %s; name another file system", f.Mount, w[0])
		}
	}
	needed := []string{"/", "/var/log"}
	if t.StateDir != "" {
		needed = append(needed, t.StateDir)
	}
	for _, folder := range needed {
		if image := imageOf(folder, t); image != "" && f.Carries(image) {
			return fault.Refuse(field, "%s carries %s, the disk image that %s is on; name another file system", f.Mount, image, folder)
		}
	}
	return nil
}

// imageOf is the file behind the loop device that a folder is on; "" if none.
func imageOf(folder string, t fault.Target) string {
	on, err := Find("", folder, fault.Target{Host: t.Host})
	if err != nil || !strings.HasPrefix(on.Source, "/dev/loop") {
		return ""
	}
	return BackingFile(filepath.Base(on.Source))
}

// hostFolders are those without which a host can't be looked after.
var hostFolders = []string{"/", "/boot", "/boot/efi", "/etc", "/usr", "/home", "/root", "/run", "/tmp", "/var", "/var/log", "/var/tmp"}

// HostFolder is a folder on the file system without which the host can't be
// looked after; "" if there is none.
func (f FileSystem) HostFolder() string {
	for _, folder := range hostFolders {
		if _, err := os.Stat(folder); err == nil && f.Carries(folder) {
			return folder
		}
	}
	return ""
}
