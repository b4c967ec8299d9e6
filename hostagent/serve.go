package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/firedrill-io/firedrill/hostagent/internal/agent"
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/digest"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

type serveOptions struct {
	*options
	name, nats, keys, power string
	bmc                     string // file of controllers
	outOfBand               bool
	hosts                   []string
	folder                  string // of third-party plugins
}

func newServeCommand(o *options) *cobra.Command {
	s := serveOptions{options: o}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Revert what an earlier process left, then take orders until SIGTERM, then revert everything",
		Args:  cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			return s.check()
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&s.name, "name", "", "name of this agent; in-band it is the host's (default: the host name)")
	f.StringVar(&s.nats, "nats", "", "broker: nats://…, tls://… or unix:///path")
	f.StringVar(&s.keys, "keys", "", "folder with command.pub and agent.nk")
	f.BoolVar(&s.outOfBand, "out-of-band", false, "act on other hosts through their power controller")
	f.StringSliceVar(&s.hosts, "hosts", nil, "hosts to act on (out-of-band)")
	f.StringVar(&s.folder, "plugins", "", "folder of third-party plugins, which only root can write to (default: only what is built in)")
	f.StringVar(&s.power, "power", "", "socket of the power controller (out-of-band)")
	f.StringVar(&s.bmc, "bmc", "", "file with the management controllers of the hosts, which only root can read (out-of-band)")
	return cmd
}

func (s *serveOptions) check() error {
	if s.name == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("name this agent: %w; give --name", err)
		}
		s.name = name
	}
	usage := func(text string) error { return &exitError{exitUsage, errors.New(text)} }
	switch {
	case s.nats == "" || s.keys == "":
		return usage("--nats and --keys are needed: the broker, and the folder with the key that may command this host")
	case s.outOfBand && ((s.power == "") == (s.bmc == "") || len(s.hosts) == 0):
		return usage("--out-of-band needs --hosts, and --power or --bmc")
	case s.bmc != "" && !filepath.IsAbs(s.bmc):
		return usage("give --bmc an absolute path: reverting needs it too, wherever it runs")
	case !s.outOfBand && (s.power != "" || s.bmc != "" || len(s.hosts) > 0):
		return usage("--power, --bmc and --hosts are for --out-of-band only")
	case os.Geteuid() != 0:
		return &exitError{exitRefused, errors.New("faults need root; run hostagent serve as root")}
	}
	if !s.outOfBand {
		s.hosts = []string{s.name}
	}
	return nil
}

func (s *serveOptions) run(ctx context.Context) error {
	log := s.logger().With("agent", s.name)
	if err := errors.Join(os.MkdirAll(s.root, 0o700), os.MkdirAll(s.pluginDir(), 0o700)); err != nil {
		return fmt.Errorf("create folders: %w", err)
	}
	spool, err := control.OpenSpool(s.spoolDir())
	if err != nil {
		return err
	}
	defer func() { _ = spool.Close() }()
	programs := s.programs(log)
	a, err := agent.Start(ctx, agent.Config{
		Name: s.name, Root: s.root, OutOfBand: s.outOfBand, Hosts: s.hosts, Power: cmp.Or(s.power, s.bmc), Version: version,
		Drivers: builtin(), Programs: programs, Launch: s.launchPlugin(log, programs), Start: s.startProgram(log), Digest: hostDigest, Evidence: spool, Logger: log,
		Exempt: func(ctx context.Context, t *fault.Target) error { return exemptBroker(ctx, s.nats, t) },
		Guard: func(self guardian.ProcessID, groups guardian.Groups) (*guardian.Guard, error) {
			return s.launchGuardian(s.name, self, groups)
		},
	})
	if err != nil {
		return err
	}
	log.Info("serving", "root", s.root, "hosts", s.hosts, "version", version)
	s.connect(ctx, log, spool, a)
	log.Info("stopping: everything is reverted")
	if err := a.Close(); err != nil {
		return &exitError{exitResidue, err}
	}
	return nil
}

// reconnect is the pause after the control plane could not be set up, as when
// the keys are not there yet.
const reconnect = time.Second

func (s *serveOptions) connect(ctx context.Context, log *slog.Logger, spool *control.Spool, a *agent.Agent) {
	o := control.AgentOptions{Name: s.name, URL: s.nats, Keys: s.keys, StateDir: s.root, Spool: spool, Logger: log}
	for last := ""; ctx.Err() == nil; {
		if err := control.Serve(ctx, o, a); err != nil && err.Error() != last {
			last = err.Error()
			log.Warn("no control plane yet", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnect):
		}
	}
}

// launchPlugin starts built-in plugins by running this binary again, and others
// as the executables that they are.
func (s *serveOptions) launchPlugin(log *slog.Logger, programs map[fault.Kind]agent.Program) func(context.Context, fault.Kind, string) (agent.Plugin, error) {
	if err := pluginhost.Sweep(s.pluginDir()); err != nil {
		log.Warn("serve", "error", err)
	}
	return func(ctx context.Context, kind fault.Kind, group string) (agent.Plugin, error) {
		if p, ok := programs[kind]; ok {
			return s.launchProgram(ctx, kind, p.Program, group, log)
		}
		return pluginhost.Launch(ctx, pluginhost.Config{
			Kind: kind, Path: proc.Self, Args: []string{"plugin", string(kind)},
			Dir: s.pluginDir(), Lock: journal.LockPath(s.root), Cgroup: group, Logger: log.With("fault", string(kind)),
		})
	}
}

func hostDigest() (control.DigestReply, error) {
	d, err := digest.Host(digest.HostOptions{})
	if err != nil {
		return control.DigestReply{}, err
	}
	return control.DigestReply{Lines: d.Lines, Sum: d.Sum()}, nil
}
