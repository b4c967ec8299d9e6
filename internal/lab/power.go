package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/power"
)

// bootLimit bounds one power-on; mounting a journaled file system under load
// took half a second.
const bootLimit = 30 * time.Second

// controller is the power role: the parent of every host, in the fabric's
// network namespace and in a mount namespace of its own that holds the images.
type controller struct {
	spec  labSpec
	log   *slog.Logger
	hosts map[string]*machine

	mu       sync.Mutex // guards services and agents
	services bool
	agents   bool
}

// runPower raises fabric and hosts and serves until its supervisor is gone.
func runPower(w *wire, log *slog.Logger) error {
	var spec labSpec
	if _, err := w.receive(&spec); err != nil {
		return err
	}
	c := &controller{spec: spec, log: log, hosts: map[string]*machine{}}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := c.raise(ctx); err != nil {
		return errors.Join(err, w.send(outcome{Error: err.Error()}))
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	if err := c.serve(ctx, &serving); err != nil {
		return errors.Join(err, w.send(outcome{Error: err.Error()}))
	}
	if err := w.send(outcome{}); err != nil {
		return err
	}
	var end order
	_, err := w.receive(&end) // returns when the supervisor is gone
	cancel()
	log.Info("supervisor gone, taking the lab down", "cause", err)
	s, err := readState(spec.Dir)
	if err != nil {
		return err
	}
	return takeDown(s)
}

// raise makes what the hosts need and boots them all.
func (c *controller) raise(ctx context.Context) error {
	if err := c.mountImages(); err != nil {
		return err
	}
	if err := raiseFabric(c.spec); err != nil {
		return err
	}
	for _, h := range c.spec.Hosts {
		c.hosts[h.Name] = &machine{spec: h}
	}
	if err := c.format(); err != nil {
		return err
	}
	return c.each(func(m *machine) error { return c.boot(ctx, m) })
}

// mountImages puts a tmpfs for the disk images into this process's own mount
// namespace, so that nothing of it can stay behind on the machine.
func (c *controller) mountImages() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("firedrill-"+c.spec.ID, imagesDir(c.spec.Dir), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=700"); err != nil {
		return fmt.Errorf("mount memory for disk images: %w", err)
	}
	return nil
}

// each runs fn for all hosts, some at a time, and returns all errors.
func (c *controller) each(fn func(*machine) error) error {
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		errs  []error
		slots = make(chan struct{}, 8)
	)
	for _, h := range c.spec.Hosts {
		m := c.hosts[h.Name]
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := fn(m); err != nil {
				mu.Lock()
				errs = append(errs, fmt.Errorf("host %s: %w", m.spec.Name, err))
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// serve answers power commands and the owner's orders.
func (c *controller) serve(ctx context.Context, serving *sync.WaitGroup) error {
	l, err := power.Listen(powerSocket(c.spec.Dir))
	if err != nil {
		return err
	}
	serving.Go(func() { _ = power.Serve(ctx, l, c) })
	return serveOrders(ctx, serving, roleSocket(c.spec.Dir, rolePower), c.obey)
}

// obey carries out one order of the owner.
func (c *controller) obey(ctx context.Context, op string) error {
	switch op {
	case orderServices, orderAgents:
		c.mu.Lock()
		c.services = c.services || op == orderServices
		c.agents = c.agents || op == orderAgents
		c.mu.Unlock()
		return c.each(func(m *machine) error { return m.tell(op) })
	case orderSettle:
		return c.each(settle)
	}
	return fmt.Errorf("unknown order %q", op)
}

// settle writes all unsynced data of one host to its disks.
func settle(m *machine) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.run == nil {
		return nil
	}
	for _, d := range disks {
		if err := syncFS(m.run.path(d.mount)); err != nil {
			return err
		}
	}
	return nil
}

func syncFS(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}

// Status implements power.Controller.
func (c *controller) Status(_ context.Context, host string) (power.Status, error) {
	m, ok := c.hosts[host]
	if !ok {
		return power.Status{}, fmt.Errorf("read power status of %q: the lab has no such host", host)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return c.status(m), nil
}

// On implements power.Controller.
func (c *controller) On(ctx context.Context, host string) (power.Status, error) {
	m, ok := c.hosts[host]
	if !ok {
		return power.Status{}, fmt.Errorf("switch %q on: the lab has no such host", host)
	}
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	if err := c.boot(ctx, m); err != nil {
		return power.Status{}, fmt.Errorf("switch %s on: %w", host, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return c.status(m), nil
}

var _ power.Controller = (*controller)(nil)
