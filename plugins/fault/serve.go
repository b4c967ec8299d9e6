package fault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/firedrill-io/firedrill/plugins/internal/faultpb"
)

// LockEnv names the environment variable with the path of the lock file that
// everyone holds who reverts without having been asked by the agent.
const LockEnv = "FIREDRILL_LOCK"

// Service is the name under which a plugin offers its fault.
const Service = "fault"

// Handshake is shared by agents and plugins.
var Handshake = goplugin.HandshakeConfig{
	ProtocolVersion:  ContractVersion,
	MagicCookieKey:   "FIREDRILL_PLUGIN",
	MagicCookieValue: "fault",
}

// Plugins is the plugin set of the agent's side; dispensing Service gives a Driver.
func Plugins() goplugin.PluginSet { return goplugin.PluginSet{Service: &transport{}} }

// Main is the whole main function of a plugin's own executable: it serves d, or
// prints its description when called with --describe.
func Main(d Driver) {
	if len(os.Args) > 1 && os.Args[1] == "--describe" {
		if err := WriteDescription(os.Stdout, d); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	Serve(d)
}

// WriteDescription writes what describe.json of a plugin's folder must hold.
func WriteDescription(w io.Writer, d Driver) error {
	info, err := d.Describe(context.Background())
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	b, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encode description of %s: %w", info.Kind, err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Serve runs d as a plugin process until the agent ends it. It ends the process
// itself when the agent is gone: every injection is reverted when its end has
// come. On SIGTERM it goes as soon as nothing of its own is left on the host.
func Serve(d Driver) {
	out := newLineWriter(os.Stderr)
	s := &server{driver: d, live: newLive(), log: newLogger(out, "plugin")}
	go s.outlive(out)
	realOut, realErr := os.Stdout, os.Stderr
	restore := sync.OnceFunc(func() {
		// go-plugin put pipes here that block a plugin without an agent.
		os.Stdout, os.Stderr = realOut, realErr
	})
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         goplugin.PluginSet{Service: &transport{server: s}},
		Logger:          hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: out, JSONFormat: true}),
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				restore()
				return next(ctx, req)
			}))...)
		},
	})
	out.flush(flushTime)
}

// answerTime is for the answer to the agent's last call, before a process that
// was told to end does so.
const answerTime = 200 * time.Millisecond

// flushTime bounds how long a process that ends waits for its log.
const flushTime = 100 * time.Millisecond

// outlive ends the process, when it has to without the agent saying so.
func (s *server) outlive(out *lineWriter) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	gone, err := parentGone()
	if err != nil {
		s.log.Error("this plugin will not revert by itself", "error", err)
	}
	s.wait(gone, term)
	time.Sleep(answerTime)
	out.flush(flushTime)
	os.Exit(0)
}

// wait returns when the process may end.
func (s *server) wait(gone <-chan struct{}, term <-chan os.Signal) {
	now := make(chan struct{})
	endAll := sync.OnceFunc(func() { close(now) })
	terminating := false
	for {
		if _, _, all := s.live.due(0); terminating && all == 0 {
			return
		}
		select {
		case <-s.live.changed:
		case <-term:
			terminating = true // the agent lives and is in charge of what is left
		case <-gone:
			s.log.Warn("agent is gone")
			if terminating {
				endAll()
			}
			go func() {
				<-term
				endAll()
			}()
			o := &orphan{driver: s.driver, live: s.live, log: s.log, lock: os.Getenv(LockEnv), now: now}
			o.run(withLogger(context.Background(), s.log))
			return
		}
	}
}

// transport is both halves of the gRPC transport for go-plugin.
type transport struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server // nil on the agent's side
}

func (t *transport) GRPCServer(_ *goplugin.GRPCBroker, g *grpc.Server) error {
	faultpb.RegisterFaultServer(g, t.server)
	return nil
}

func (t *transport) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return client{faultpb.NewFaultClient(conn)}, nil
}

var (
	_ goplugin.GRPCPlugin = (*transport)(nil)
	_ Driver              = client{}
)
