// Command vmrun runs test binaries as root on a typical host that is booted for
// them. One binary in a machine of its own:
//
//	go test -exec $PWD/bin/vmrun ./plugins/cpu
//
// As many as a command runs, one after the other in the same machine:
//
//	bin/vmrun for go test -exec $PWD/bin/vmrun ./plugins/cpu ./plugins/memory
//
// With VMRUN_JOB, such a machine has a copy of that folder on a disk, and test binaries
// that lie in it need not be sent.
// With VMRUN_SYSTEMD=1 the host has systemd. With VMRUN_RESETS=1 the one test may
// have its machine reset, and is run again after each reset. The images are in the folder vm
// beside the executable.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/internal/vmtest"
)

// machineEnv holds the port of the machine that a command was given.
const machineEnv = "VMRUN_MACHINE"

// limit is how long one test binary may take, boot included: longer than its own
// time limit, which tells what it was doing.
const limit = 9 * time.Minute

func main() {
	vmtest.Guest()
	runtime.LockOSThread() // the machine's emulator ends with the thread that started it
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	defer stop()
	code, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmrun:", err)
		code = 1
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (code int, err error) {
	if len(args) == 0 {
		return 0, errors.New("no test binary is given; use it as go test -exec bin/vmrun, or as vmrun for COMMAND")
	}
	if args[0] == "for" {
		return inMachine(os.Getenv(jobEnv), func(_ *vmtest.Machine, port int) (int, error) { return carryOut(ctx, port, args[1:]) })
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	test, err := command(args)
	if err != nil {
		return 0, err
	}
	if text := os.Getenv(machineEnv); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", machineEnv, err)
		}
		return vmtest.Run(ctx, port, test, os.Stdout)
	}
	return inMachine("", func(m *vmtest.Machine, port int) (int, error) {
		if resets() {
			return m.RunAcross(ctx, port, test, os.Stdout)
		}
		return vmtest.Run(ctx, port, test, os.Stdout)
	})
}

func resets() bool { return os.Getenv("VMRUN_RESETS") != "" }

// inMachine boots a machine that takes commands at the port do is called with; job is
// a folder for it, or "".
func inMachine(job string, do func(m *vmtest.Machine, port int) (int, error)) (code int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	m, err := vmtest.Boot(vmtest.Config{
		Images: filepath.Join(filepath.Dir(self), "vm"), Program: self, Job: job, Systemd: os.Getenv("VMRUN_SYSTEMD") != "", Resets: resets(),
		Reach: map[int]int{port: vmtest.RemotePort},
	})
	if err != nil {
		return 0, err
	}
	defer func() {
		if code != 0 || err != nil {
			fmt.Fprintf(os.Stderr, "vmrun: the machine's console ends with:\n%s\n", m.Console())
		}
		err = errors.Join(err, m.Close())
	}()
	return do(m, port)
}

// carryOut runs a command of this machine whose tests go to the other one.
func carryOut(ctx context.Context, port int, words []string) (int, error) {
	if len(words) == 0 {
		return 0, errors.New("no command is given; use it as vmrun for go test -exec bin/vmrun")
	}
	p, err := proc.Start(proc.Spec{ // env(1) finds the program
		Path: "/usr/bin/env", Args: words, Env: append(os.Environ(), machineEnv+"="+strconv.Itoa(port)), Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { _ = p.Signal(syscall.SIGTERM) })()
	return p.Wait()
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
