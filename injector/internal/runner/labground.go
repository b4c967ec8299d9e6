package runner

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/firedrill-io/firedrill/injector/internal/broker"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// goneLimit is how long the last objects of a lab may take to go away.
const goneLimit = 10 * time.Second

// labGround is a lab raised for one layout.
type labGround struct {
	lab    *lab.Lab
	inv    *inventory.Inventory
	broker *broker.Broker
	nc     *nats.Conn
	dir    string // the lab writes its logs below it

	clients *lab.HostProcess
}

// raiseLab raises the lab of l and starts a broker for it; logs go to dir/logs.
// A ground that comes with an error must be taken down like any other.
func raiseLab(ctx context.Context, l *layout, dir string, o Options) (_ ground, err error) {
	g := &labGround{inv: l.inv, dir: dir}
	if err := programs(l.inv, &o); err != nil {
		return nil, err
	}
	g.lab, err = lab.Up(ctx, lab.Config{Inventory: *l.inv, Dir: dir, Services: o.Services, HostAgent: o.HostAgent,
		Plugins: o.Plugins, Variables: l.variables, Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	// The keys lie in the lab's own folder, which goes away with it whatever happens to this process.
	if g.broker, err = broker.Start(g.lab.MgmtDir()); err != nil {
		return g, err
	}
	if g.nc, err = g.broker.Connect(o.Logger); err != nil {
		return g, err
	}
	return g, g.broker.ListenUnix(filepath.Join(g.lab.MgmtDir(), "broker.sock"))
}

// programs misses root, and the files that hosts will start, before any host is raised.
// Without services no folder of them is needed.
func programs(inv *inventory.Inventory, o *Options) error {
	if err := lab.Allowed(); err != nil {
		return refuse("%v", err)
	}
	if _, err := os.Stat(o.HostAgent); err != nil {
		return refuse("there is no host agent at %s: run make build, or name it with --hostagent", o.HostAgent)
	}
	for _, s := range inv.Services {
		if _, err := os.Stat(filepath.Join(o.Services, s.Exec)); err != nil {
			return refuse("service %s needs the program %s, which is not in %s: run make build, or name the folder with --services", s.Name, s.Exec, o.Services)
		}
	}
	if _, err := os.Stat(o.Services); err != nil {
		o.Services = ""
	}
	return nil
}

// Link is the connection to the embedded broker.
func (g *labGround) Link() (*nats.Conn, ed25519.PrivateKey) { return g.nc, g.broker.Key() }

// Begin starts agents, then services.
func (g *labGround) Begin(ctx context.Context) error {
	if err := g.lab.StartAgents(ctx); err != nil {
		return err
	}
	return g.lab.StartServices(ctx)
}

// Settle syncs all hosts.
func (g *labGround) Settle(ctx context.Context) error { return g.lab.Settle(ctx) }

// Clients re-executes this program in the lab's clients host.
func (g *labGround) Clients() (io.ReadWriteCloser, error) {
	host, ok := clientsHost(g.inv)
	if !ok {
		return nil, fmt.Errorf("start clients: the lab file has no host in site %s", inventory.Internet)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	log, err := g.clientsLog(host.Name)
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	defer func() { _ = log.Close() }()
	g.clients, err = g.lab.Start(host.Name, lab.HostCommand{Path: proc.Self, Args: []string{"clients"},
		Extra: []*os.File{theirs}, Stdio: lab.Stdio{Out: log, Err: log}})
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return ours, nil
}

// clientsLog is beside the logs of the services, which the run keeps.
func (g *labGround) clientsLog(host string) (*os.File, error) {
	dir := filepath.Join(g.dir, "logs", host)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create clients' log: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, "clients.log"))
	if err != nil {
		return nil, fmt.Errorf("create clients' log: %w", err)
	}
	return log, nil
}

func clientsHost(inv *inventory.Inventory) (inventory.Host, bool) {
	for _, h := range inv.Hosts {
		if h.Site == inventory.Internet {
			return h, true
		}
	}
	return inventory.Host{}, false
}

// Step runs what the lab file says a person does at a host's console.
func (g *labGround) Step(ctx context.Context, s plan.Step) (string, error) {
	for _, step := range g.inv.Runbook {
		if step.Name == s.Name {
			return g.console(ctx, step)
		}
	}
	return "", fmt.Errorf("run step: the lab file has no runbook step %s", s.Name)
}

func (g *labGround) console(ctx context.Context, step inventory.Step) (string, error) {
	argv, err := g.argv(step)
	if err != nil {
		return "", err
	}
	out, err := os.CreateTemp(g.dir, "step-")
	if err != nil {
		return "", fmt.Errorf("run step: %w", err)
	}
	defer func() { _ = os.Remove(out.Name()) }()
	defer func() { _ = out.Close() }()
	code, err := g.lab.Exec(ctx, step.Host, argv, lab.Stdio{Out: out, Err: out})
	text, _ := os.ReadFile(out.Name())
	text = bytes.TrimSpace(text)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s on %s: exit code %d: %s", step.Exec, step.Host, code, text)
	}
	return string(text), err
}

func (g *labGround) argv(step inventory.Step) ([]string, error) {
	for _, h := range g.inv.Hosts {
		if h.Name != step.Host {
			continue
		}
		argv := []string{step.Exec}
		for _, a := range step.Args {
			text, err := g.inv.Expand(a, h)
			if err != nil {
				return nil, fmt.Errorf("run step %s: %w", step.Name, err)
			}
			argv = append(argv, text)
		}
		return argv, nil
	}
	return nil, fmt.Errorf("run step %s: no host %s", step.Name, step.Host)
}

// Down takes the lab down and looks for anything that still carries its id.
func (g *labGround) Down(ctx context.Context) ([]string, error) {
	var errs []error
	var residue []string
	if g.clients != nil {
		errs = append(errs, g.clients.Close())
	}
	if g.nc != nil {
		g.nc.Close()
	}
	if g.lab != nil {
		errs = append(errs, g.lab.Down())
		ctx, cancel := context.WithTimeout(ctx, goneLimit)
		left, err := digest.Settled(ctx, digest.Digest{}, digest.Only(g.lab.ID()))
		cancel()
		residue, errs = left, append(errs, err)
	}
	if g.broker != nil {
		g.broker.Close()
	}
	return residue, errors.Join(errs...)
}
