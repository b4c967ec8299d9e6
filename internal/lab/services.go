package lab

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/durable"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// restartPause is how long a program that ended stays down before it is
// started again, as an init system would.
const restartPause = 300 * time.Millisecond

// host is hostinit's view of its host.
type host struct {
	boot     bootSpec
	log      *slog.Logger
	logs     *os.File // folder on the machine
	children *children

	mu       sync.Mutex
	services bool // started already
	agent    bool
}

// start starts the services, the agent or both, once.
func (h *host) start(services, agent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if services && !h.services {
		h.services = true
		for _, s := range h.boot.Host.Services {
			go h.keep(s, serviceGroups)
		}
	}
	if agent && !h.agent && h.boot.HostAgent != "" {
		h.agent = true
		args := []string{
			"serve", "--root", "/state/hostagent", "--name", h.boot.Host.Name,
			"--nats", "unix://" + HostMgmt + "/broker.sock", "--keys", HostMgmt,
		}
		if h.boot.Plugins != "" {
			args = append(args, "--plugins", HostPlugins)
		}
		go h.keep(serviceSpec{Name: "hostagent", Path: HostAgent, Args: args}, hostinitGroups)
	}
}

// keep runs a service for as long as the host lives, in the groups that
// groupsOf makes; none: hostinit's own.
func (h *host) keep(s serviceSpec, groupsOf func(name string) ([]string, error)) {
	log := h.log.With("service", s.Name)
	out, err := h.openLog(s.Name)
	if err != nil {
		log.Error("service has no log", "error", err)
		return
	}
	groups, err := groupsOf(s.Name)
	if err != nil {
		log.Error("service has no control groups", "error", err)
		return
	}
	said := ""
	for ; ; time.Sleep(restartPause) {
		p, err := h.startService(s, out, groups)
		if err != nil {
			log.Error("service not started", "error", err)
			// Its own log is where people look, and a finding stands in the report.
			if text := err.Error(); text != said {
				said = text
				_, _ = fmt.Fprintf(out, "finding: service %s does not start: %s\n", s.Name, text)
			}
			continue
		}
		code, err := h.children.wait(p)
		log.Info("service ended", "code", code, "error", err)
	}
}

func (h *host) startService(s serviceSpec, out *os.File, groups []string) (*proc.Process, error) {
	if err := writeFiles(s); err != nil {
		return nil, err
	}
	return h.children.start(proc.Spec{Path: s.Path, Args: s.Args, Env: environment(h.boot.Host.Name), Dir: "/data", Stdout: out, Stderr: out}, groups...)
}

// openLog opens a log in the folder on the machine, which the host cannot see.
func (h *host) openLog(name string) (*os.File, error) {
	fd, err := unix.Openat(int(h.logs.Fd()), name+".log", unix.O_WRONLY|unix.O_CREAT|unix.O_APPEND|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name+".log"), nil
}

// writeFiles writes a service's files; one that has the right content stays.
func writeFiles(s serviceSpec) error {
	for _, f := range s.Files {
		old, err := os.ReadFile(f.Path)
		if err == nil && bytes.Equal(old, []byte(f.Content)) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return fmt.Errorf("make folder of file of service %s: %w", s.Name, err)
		}
		if err := durable.WriteFile(f.Path, []byte(f.Content), 0o644); err != nil {
			return err
		}
	}
	return nil
}
