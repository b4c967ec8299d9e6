package vmtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// generators are programs that systemd runs at boot and whenever it reloads its
// units, systemd.generator(7). A link to /dev/null of the same name in the first
// folder keeps one of the second from running.
const (
	ownGenerators = "/etc/systemd/system-generators"
	allGenerators = "/usr/lib/systemd/system-generators"
)

// withoutGenerators keeps all from running: they find nothing in this machine, and
// make each reload take seconds.
func withoutGenerators() error {
	found, err := os.ReadDir(allGenerators)
	if err == nil {
		err = os.MkdirAll(ownGenerators, 0o755)
	}
	for _, e := range found {
		if made := os.Symlink("/dev/null", filepath.Join(ownGenerators, e.Name())); !errors.Is(made, fs.ErrExist) { // by an earlier boot
			err = errors.Join(err, made)
		}
	}
	if err != nil {
		return fmt.Errorf("keep generators from running: %w", err)
	}
	return nil
}
