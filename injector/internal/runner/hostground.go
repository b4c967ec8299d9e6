package runner

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/injector/internal/broker"
	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// hostGround is hosts that stand already, with agents that dial a broker.
type hostGround struct {
	nc      *nats.Conn
	key     ed25519.PrivateKey
	clients *proc.Process
}

// joinHosts connects to the broker that the agents of real hosts dial.
func joinHosts(o Options) (ground, error) {
	if o.NATS == "" || o.Keys == "" {
		return nil, refuse("real hosts need --nats URL and --keys DIR; give --lab to run in a simulated data centre")
	}
	key, err := control.ReadCommandKey(o.Keys)
	if errors.Is(err, os.ErrNotExist) {
		if err := broker.EnsureCommandKey(o.Keys); err != nil {
			return nil, err
		}
		return nil, refuse("made a new pair of keys in %s: put command.pub into the keys folder of every host, then run again", o.Keys)
	}
	if err != nil {
		return nil, err
	}
	user, err := control.NkeyOption(filepath.Join(o.Keys, control.InjectorNK))
	if err != nil {
		return nil, err
	}
	var more []nats.Option
	if user != nil {
		more = append(more, user)
	}
	nc, err := control.Dial(o.NATS, "injector", o.Logger, more...)
	if err != nil {
		return nil, err
	}
	if err := dialled(nc, o.NATS, brokerLimit); err != nil {
		nc.Close()
		return nil, err
	}
	return &hostGround{nc: nc, key: key}, nil
}

// brokerLimit is how long the broker may take to answer.
const brokerLimit = 5 * time.Second

// dialled waits for the connection: without it every agent would look unreachable.
func dialled(nc *nats.Conn, url string, limit time.Duration) error {
	for end := time.Now().Add(limit); !nc.IsConnected(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			why := nc.LastError()
			if why == nil {
				why = nats.ErrTimeout
			}
			return refuse("the broker %s does not answer within %s (%v): check that it runs there and that --nats names it", url, limit, why)
		}
	}
	return nil
}

// Link is the connection to the broker.
func (g *hostGround) Link() (*nats.Conn, ed25519.PrivateKey) { return g.nc, g.key }

// Begin does nothing: agents and services of real hosts are not ours to start.
func (g *hostGround) Begin(context.Context) error { return nil }

// Settle does nothing: real hosts are taken as they are.
func (g *hostGround) Settle(context.Context) error { return nil }

// Step cannot be carried out: no command travels to real hosts.
func (g *hostGround) Step(_ context.Context, s plan.Step) (string, error) {
	return "", fmt.Errorf("run step %s: runbook steps are replayed in a lab only", s.Name)
}

// Clients re-executes this program beside the injector.
func (g *hostGround) Clients() (io.ReadWriteCloser, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	g.clients, err = proc.Start(proc.Spec{Path: proc.Self, Args: []string{"clients"}, Stderr: os.Stderr, Extra: []*os.File{theirs}})
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return ours, nil
}

// Down ends the clients and closes the connection.
func (g *hostGround) Down(context.Context) ([]string, error) {
	g.nc.Close()
	if g.clients == nil {
		return nil, nil
	}
	_ = g.clients.Kill()
	_, err := g.clients.Wait()
	return nil, err
}

// socketPair returns our end of a stream socket and the file to be inherited by
// the clients process.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "clients"), os.NewFile(uintptr(fds[1]), "runner")
	defer func() { _ = mine.Close() }() // FileConn holds a copy
	conn, err := net.FileConn(mine)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("use socket pair: %w", err), theirs.Close())
	}
	return conn, theirs, nil
}
