package lab

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// hostinit is pid 1 of a host. It builds what the host sees, keeps its services
// running and starts commands on request. It lives as long as the power role
// holds the other end of w: when it ends, the kernel ends the whole host.
func hostinit(w *wire, log *slog.Logger) error {
	var boot bootSpec
	files, err := w.receive(&boot)
	if err != nil {
		return fmt.Errorf("receive boot order: %w", err)
	}
	if len(files) != 2+len(boot.Disks) {
		return fmt.Errorf("receive boot order: got %d descriptors, want control socket, log folder and %d disks", len(files), len(boot.Disks))
	}
	loops, err := become(boot, files[2:])
	closeFiles(files[2:])
	if err != nil {
		return errors.Join(err, w.send(booted{Error: err.Error()}))
	}
	control, err := net.FileListener(files[0])
	if err != nil {
		return errors.Join(err, w.send(booted{Error: err.Error()}))
	}
	_ = files[0].Close()
	listener, ok := control.(*net.UnixListener)
	if !ok {
		return fmt.Errorf("use control socket: it is %T", control)
	}
	h := &host{boot: boot, log: log, logs: files[1], children: newChildren()}
	go h.children.reap()
	go h.accept(listener)
	h.start(boot.Services, boot.Agent)
	if err := w.send(booted{Loops: loops}); err != nil {
		return err
	}
	return h.obey(w)
}

// obey starts services and agent when told to, until the other end is gone.
func (h *host) obey(w *wire) error {
	for {
		var o order
		if _, err := w.receive(&o); err != nil {
			return fmt.Errorf("power role gone: %w", err)
		}
		h.start(o.Op == orderServices, o.Op == orderAgents)
		if err := w.send(outcome{}); err != nil {
			return err
		}
	}
}

// become turns this process's namespaces into the host's, and returns the loop
// devices of its disks.
func become(boot bootSpec, images []*os.File) ([]string, error) {
	if err := unix.Sethostname([]byte(boot.Host.Name)); err != nil {
		return nil, fmt.Errorf("set host name: %w", err)
	}
	loops, err := buildRoot(boot, images)
	if err != nil {
		return nil, err
	}
	if err := leaveTop(); err != nil {
		return nil, err
	}
	if err := configureNetwork(boot.Host); err != nil {
		return nil, err
	}
	if err := os.Chdir("/"); err != nil {
		return nil, fmt.Errorf("enter root: %w", err)
	}
	return loops, nil
}
