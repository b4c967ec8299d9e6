package vmtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// roleJob is the argument with which the job's keeper is started.
const roleJob = "firedrill-vm-job"

// runJob runs /job/test, says how it ended and switches the machine off.
func runJob() error {
	out, err := os.OpenFile("/dev/ttyS1", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open terminal of tests: %w", err)
	}
	if err := raw(int(out.Fd())); err != nil {
		return err
	}
	args, err := os.ReadFile("/job/args")
	if err != nil {
		return fmt.Errorf("read arguments of test: %w", err)
	}
	p, err := proc.Start(proc.Spec{
		Path: "/job/test", Args: strings.Split(strings.TrimSuffix(string(args), "\x00"), "\x00"), Dir: "/job/work",
		Env: environment(), Stdout: out, Stderr: out,
	})
	if err != nil {
		return err
	}
	code, err := p.Wait()
	if err != nil {
		return err
	}
	_ = unix.IoctlSetInt(int(out.Fd()), unix.TCSBRK, 1) // until the last byte is out
	console, err := os.OpenFile("/dev/ttyS0", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open console: %w", err)
	}
	fmt.Fprintf(console, "\n%s%d\n", exitLine, code)
	_ = unix.IoctlSetInt(int(console.Fd()), unix.TCSBRK, 1)
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// raw makes a terminal hand on what it is given, as it is.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("read terminal settings: %w", err)
	}
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ICANON
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// units is where a unit of this boot only is looked for, systemd.unit(5).
const units = "/run/systemd/system"

// jobUnit runs the test beside everything else that systemd has started.
const jobUnit = `[Unit]
Description=The test that this machine was booted for
After=multi-user.target
[Service]
Type=exec
ExecStart=/job/vmrun ` + roleJob + `
StandardOutput=tty
TTYPath=/dev/ttyS0
`

// remoteUnit takes commands from whoever booted the machine.
const remoteUnit = `[Unit]
Description=Takes commands from who booted this machine
[Service]
Type=exec
ExecStart=/job/vmrun ` + roleRemote + `
`

// handOver becomes systemd, with the units of the job.
func handOver() error {
	wants := filepath.Join(units, "multi-user.target.wants")
	if err := errors.Join(mount("tmpfs", "/run", "tmpfs", "mode=755"), os.MkdirAll(wants, 0o755)); err != nil {
		return err
	}
	add := func(name, text string) error {
		return errors.Join(os.WriteFile(filepath.Join(units, name), []byte(text), 0o600), os.Symlink(filepath.Join(units, name), filepath.Join(wants, name)))
	}
	if err := add("firedrill-vm-remote.service", remoteUnit); err != nil {
		return err
	}
	if _, err := os.Stat("/job/test"); err == nil {
		if err := add("firedrill-vm-job.service", jobUnit); err != nil {
			return err
		}
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
