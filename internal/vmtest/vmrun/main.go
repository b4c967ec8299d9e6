// Command vmrun runs a test binary as root on a typical host, booted for it
// alone: go test -exec bin/vmrun ./plugins/cpu. With VMRUN_SYSTEMD=1 the host
// has systemd. The images are in the folder vm beside the executable.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/vmtest"
)

// limit is how long one test binary may take, boot included.
const limit = 9 * time.Minute

func main() {
	vmtest.Guest()
	runtime.LockOSThread() // the machine's emulator ends with the thread that started it
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmrun:", err)
		code = 1
	}
	os.Exit(code)
}

func run(args []string) (code int, err error) {
	if len(args) == 0 {
		return 0, errors.New("no test binary is given; use it as go test -exec bin/vmrun")
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	job, err := os.MkdirTemp("", "firedrill-job")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(job)) }()
	if err := fill(job, self, args); err != nil {
		return 0, err
	}
	m, err := vmtest.Boot(vmtest.Config{
		Images: filepath.Join(filepath.Dir(self), "vm"), Program: self, Job: job, Systemd: os.Getenv("VMRUN_SYSTEMD") != "", Output: os.Stdout,
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return m.Wait(ctx)
}

// fill writes what the machine needs to run the test: the binary, its arguments
// and the files of its package, which go test makes the working folder.
func fill(job, self string, args []string) error {
	// The file is for go test's cache and lies on this machine.
	rest := slices.DeleteFunc(slices.Clone(args[1:]), func(a string) bool { return strings.HasPrefix(a, "-test.testlogfile=") })
	work := filepath.Join(job, "work")
	if err := errors.Join(copyFile(args[0], filepath.Join(job, "test")), copyFile(self, filepath.Join(job, "vmrun")),
		os.WriteFile(filepath.Join(job, "args"), []byte(strings.Join(rest, "\x00")+"\x00"), 0o600), os.Mkdir(work, 0o755)); err != nil {
		return err
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch {
		case e.Type().IsRegular():
			err = copyFile(e.Name(), filepath.Join(work, e.Name()))
		case e.IsDir() && e.Name() == "testdata":
			err = os.CopyFS(filepath.Join(work, e.Name()), os.DirFS(e.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
