package vmtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// Config is a machine to be booted.
type Config struct {
	Images string // folder with vmlinuz and root.ext4, made by .ci/vm-image
	// Program is the executable, statically linked, that calls Guest first.
	Program string
	// Job is a folder that the machine sees a copy of as /job; "": an empty one.
	// Unit files in its folder "units" are started with systemd.
	Job     string
	Systemd bool
	// Reach are ports of the machine that can be dialled here, on loopback: port
	// here by port there, RemotePort for what Run needs. The machine reaches this
	// one's loopback as Outside.
	Reach map[int]int
	// Resets says that the only test of the machine may have it reset: see RunAcross.
	// With it, Job is empty.
	Resets bool
	// Halts leaves this machine's processors to others while there is nothing to do,
	// and takes longer for the rest: for a machine that mostly waits.
	Halts  bool
	Memory int // MiB; 0: 2048
}

// Outside is the address at which a machine sees who booted it.
const Outside = "10.0.2.2"

// qemu is the emulator of Debian's qemu-system-x86.
const qemu = "/usr/bin/qemu-system-x86_64"

// Machine is one that was booted.
type Machine struct {
	folder  string
	process *proc.Process
	ended   chan struct{}
}

// Boot starts a machine. The caller must Close it.
func Boot(cfg Config) (*Machine, error) {
	folder, err := os.MkdirTemp("", "firedrill-vm")
	if err != nil {
		return nil, fmt.Errorf("boot machine: %w", err)
	}
	m := &Machine{folder: folder, ended: make(chan struct{})}
	if err := m.start(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("boot machine: %w", err), os.RemoveAll(folder))
	}
	go func() {
		_, _ = m.process.Wait() // what went wrong is in its log
		close(m.ended)
	}()
	return m, nil
}

func (m *Machine) start(cfg Config) error {
	if err := writeInitrd(m.path("initrd"), cfg.Program); err != nil {
		return err
	}
	if cfg.Job == "" {
		cfg.Job = m.path("job")
		if err := os.Mkdir(cfg.Job, 0o755); err != nil {
			return err
		}
		if cfg.Resets {
			if err := os.WriteFile(filepath.Join(cfg.Job, filepath.Base(mayReset)), nil, 0o600); err != nil {
				return err
			}
		}
	}
	if err := errors.Join(writeDisk(m.path("job.ext4"), cfg.Job), emptyDisk(m.path("data"))); err != nil {
		return err
	}
	errs, err := os.Create(m.path("qemu.log"))
	if err != nil {
		return err
	}
	defer errs.Close()
	m.process, err = proc.Start(proc.Spec{
		Path: qemu, Args: m.arguments(cfg), Stdout: errs, Stderr: errs,
		Attr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	return err
}

func (m *Machine) arguments(cfg Config) []string {
	mode := "alone"
	if cfg.Systemd {
		mode = "systemd"
	}
	if cfg.Memory == 0 {
		cfg.Memory = 2048
	}
	// Never kvm: where this machine is itself a guest, /dev/kvm may open and yet
	// crawl. The kernel's self tests and mitigations cost time and test nothing here,
	// and neither does what of a processor is dear to emulate: a fifth level of page
	// tables, protection of user pages, wide vectors, a clock that is a device. A
	// conformance suite takes an eighth less time without them, and a quarter less
	// where an idle processor spins, as to wake this machine's thread takes long, and
	// where the kernel does not wait out grace periods (rcu_expedited). Three of its
	// serial lines are left out: each is a unit for systemd.
	command := "console=ttyS0 quiet panic=-1 mitigations=off nokaslr no5lvl tsc=reliable clocksource=tsc rcupdate.rcu_expedited=1 net.ifnames=0 8250.nr_uarts=1 no_timer_check cryptomgr.notests " + modeArg + mode
	if !cfg.Halts {
		command += " idle=poll"
	}
	network := "user,id=n0"
	for here, there := range cfg.Reach {
		network += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:%d-:%d", here, there)
	}
	return []string{
		"-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off,smap=off,smep=off,pku=off,pcid=off,erms=off,fsrm=off,avx=off,avx2=off", "-smp", "2", "-m", strconv.Itoa(cfg.Memory),
		"-nodefaults", "-no-user-config", "-display", "none",
		"-kernel", filepath.Join(cfg.Images, "vmlinuz"), "-initrd", m.path("initrd"), "-append", command,
		"-drive", "if=none,id=root,format=raw,snapshot=on,file=" + filepath.Join(cfg.Images, "root.ext4"), "-device", "nvme,drive=root,serial=" + rootDisk,
		"-drive", "if=none,id=job,format=raw,cache=unsafe,file=" + m.path("job.ext4"), "-device", "nvme,drive=job,serial=" + jobDisk,
		// As a disk with a volatile cache: a flush of the machine reaches this one's
		// page cache, and a reset leaves that alone.
		"-drive", "if=none,id=data,format=raw,cache=writeback,file=" + m.path("data"), "-device", "nvme,drive=data,serial=" + dataDisk,
		"-qmp", "unix:" + m.path("qmp") + ",server=on,wait=off",
		"-netdev", network, "-device", "virtio-net-pci,netdev=n0",
		"-serial", "file:" + m.path("console"),
	}
}

func (m *Machine) path(name string) string { return filepath.Join(m.folder, name) }

// Console is the end of what the emulator, the kernel and the first process said.
func (m *Machine) Console() string {
	log, _ := os.ReadFile(m.path("qemu.log"))
	b, _ := os.ReadFile(m.path("console"))
	b = append(log, b...)
	if len(b) > 8<<10 {
		b = b[len(b)-8<<10:]
	}
	return strings.ToValidUTF8(string(bytes.ReplaceAll(b, []byte("\r"), nil)), "?")
}

// Close takes the machine's power and removes what it was made of.
func (m *Machine) Close() error {
	err := m.process.Kill()
	if errors.Is(err, proc.ErrGone) {
		err = nil
	}
	select {
	case <-m.ended:
	case <-time.After(10 * time.Second):
		err = errors.Join(err, errors.New("close machine: qemu does not end"))
	}
	return errors.Join(err, os.RemoveAll(m.folder))
}
