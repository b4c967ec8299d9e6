package vmtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// units is where a unit of this boot only is looked for, systemd.unit(5).
const units = "/run/systemd/system"

// remoteUnit takes commands beside everything else that systemd has started. It
// is no session and no scope: what it starts is in its control group.
const remoteUnit = `[Unit]
Description=Takes commands from who booted this machine
After=multi-user.target
[Service]
Type=exec
ExecStart=` + program + ` ` + roleRemote + `
Environment=HOME=/root TMPDIR=/tmp
StandardOutput=tty
TTYPath=/dev/ttyS0
`

// handOver becomes systemd, with the units of the job.
func handOver(self []byte) error {
	wants := filepath.Join(units, "multi-user.target.wants")
	if err := errors.Join(withoutGenerators(), mount("tmpfs", "/run", "tmpfs", "mode=755"), os.MkdirAll(wants, 0o755), os.WriteFile(program, self, 0o700)); err != nil {
		return err
	}
	add := func(name, text string) error {
		return errors.Join(os.WriteFile(filepath.Join(units, name), []byte(text), 0o600), os.Symlink(filepath.Join(units, name), filepath.Join(wants, name)))
	}
	if err := add("firedrill-vm-remote.service", remoteUnit); err != nil {
		return err
	}
	more, err := os.ReadDir("/job/units")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list units: %w", err)
	}
	for _, e := range more {
		text, err := os.ReadFile(filepath.Join("/job/units", e.Name()))
		if err != nil {
			return fmt.Errorf("read unit: %w", err)
		}
		if err := add(e.Name(), string(text)); err != nil {
			return err
		}
	}
	return unix.Exec("/sbin/init", []string{"/sbin/init"}, environment())
}
