// Package pluginhost starts fault plugins as processes and talks to them over
// gRPC on a unix socket. A plugin outlives the death of its agent: it has a
// session of its own, and its output goes to files, so that no pipe breaks.
package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// StartTimeout is how long a plugin may take to offer its socket. A Go plugin
// on a cold page cache took 92 ms, one in Python 0.51 s; the rest is for a busy host.
const StartTimeout = 10 * time.Second

// killWait bounds how long Kill waits for the end of the process. A task in a
// frozen v1 group does not die before it is thawed.
const killWait = 2 * time.Second

// maxDir is the longest Config.Dir: the path of a unix socket has at most 107
// bytes (unix(7)), of which go-plugin takes up to 38 below the folder.
const maxDir = 107 - 38

// Config says which plugin to start and how.
type Config struct {
	Kind   fault.Kind
	Path   string   // of the executable, absolute
	Args   []string // without argv[0]
	Dir    string   // existing folder that only root enters, for sockets; at most 69 bytes long
	Lock   string   // path of the lock file, given to the plugin as FIREDRILL_LOCK
	Cgroup string   // folder of the control group the plugin is moved into; empty: the agent's own
	Env    []string // added to the plugin's environment, which is empty otherwise
	// Confined leaves the plugin the named capabilities of root and no others;
	// the calling program must have called Main.
	Confined     bool
	Capabilities []string
	Logger       *slog.Logger
}

// Plugin is a running plugin. Its Driver methods honour the deadline of their
// context, also when the process is stopped.
type Plugin struct {
	fault.Driver

	kind   fault.Kind
	runner *runner
	client *goplugin.Client
	health grpc_health_v1.HealthClient
}

var _ fault.Driver = (*Plugin)(nil)

// Launch starts a plugin and waits until it answers. The caller must Kill it.
func Launch(ctx context.Context, c Config) (*Plugin, error) {
	if len(c.Dir) > maxDir {
		return nil, fmt.Errorf("launch plugin %s: folder %s is too long for unix sockets; use one of at most %d bytes", c.Kind, c.Dir, maxDir)
	}
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	r := newRunner(c)
	config := &goplugin.ClientConfig{
		HandshakeConfig:  fault.Handshake,
		VersionedPlugins: versions(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		SkipHostEnv:      true,
		StartTimeout:     StartTimeout,
		Logger:           toSlog(c.Logger),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: c.Dir},
	}
	attach(&config.RunnerFunc, r)
	p := &Plugin{kind: c.Kind, runner: r, client: goplugin.NewClient(config)}
	ready := make(chan error, 1)
	go func() { ready <- p.connect() }()
	select {
	case err := <-ready:
		if err != nil {
			p.Kill()
			return nil, fmt.Errorf("launch plugin %s: %w", c.Kind, err)
		}
		return p, nil
	case <-ctx.Done():
		r.abort()
		late := <-ready
		p.Kill()
		return nil, fmt.Errorf("launch plugin %s: %w", c.Kind, errors.Join(ctx.Err(), late))
	}
}

// versions are the plugin sets by version of the contract: the newest that both
// sides speak is taken.
func versions() map[int]goplugin.PluginSet {
	sets := map[int]goplugin.PluginSet{}
	for _, v := range fault.Contracts() {
		sets[v] = fault.Plugins()
	}
	return sets
}

// Contract is the version of the contract that both sides speak.
func (p *Plugin) Contract() int { return p.client.NegotiatedVersion() }

func (p *Plugin) connect() error {
	protocol, err := p.client.Client()
	if err != nil {
		return err
	}
	raw, err := protocol.Dispense(fault.Service)
	if err != nil {
		return err
	}
	g, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		return fmt.Errorf("unexpected protocol %T", protocol)
	}
	p.health = grpc_health_v1.NewHealthClient(g.Conn)
	p.Driver, ok = raw.(fault.Driver)
	if !ok {
		return fmt.Errorf("unexpected service %T", raw)
	}
	return nil
}

var errNotServing = errors.New("not serving")

// Healthy asks the plugin whether it serves, within the deadline of ctx.
func (p *Plugin) Healthy(ctx context.Context) error {
	r, err := p.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: goplugin.GRPCServiceName})
	if err == nil && r.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		err = errNotServing
	}
	if err != nil {
		return fmt.Errorf("check plugin %s (pid %d): %w", p.kind, p.PID(), err)
	}
	return nil
}

// PID is the process id.
func (p *Plugin) PID() int { return p.runner.pid() }

// StartTime tells the process from a later one of the same pid; see proc.Process.
func (p *Plugin) StartTime() uint64 { return p.runner.startTime() }

// Done is closed when the process has ended.
func (p *Plugin) Done() <-chan struct{} { return p.runner.done }

// Kill ends the process at once and removes its sockets. It reverts nothing.
func (p *Plugin) Kill() {
	_ = p.runner.Kill(context.Background()) // fails only if it has ended
	clean := func() {
		p.client.Kill()
		p.runner.clean()
	}
	select {
	case <-p.runner.ended():
		clean()
	case <-time.After(killWait):
		go clean()
	}
}

// Sweep removes the sockets that killed plugins left in dir. It is called when
// an agent starts, before its first Launch.
func Sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("sweep plugin sockets: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), socketFolder) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("sweep plugin sockets: %w", err)
		}
	}
	return nil
}
