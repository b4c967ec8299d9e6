package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/firedrill-io/firedrill/hostagent/internal/agent"
	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/pluginfolder"
	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// programs reads the folder of third-party plugins. One that does not hold is
// named in the log and is not there for anybody: the host is served, and what
// is live on it reverted, all the same.
func (s *serveOptions) programs(log *slog.Logger) map[fault.Kind]agent.Program {
	if s.folder == "" {
		return nil
	}
	found, err := pluginfolder.Read(s.folder)
	if err != nil {
		log.Error("some plugins are not used", "error", err)
	}
	builtIn := builtin()
	programs := map[fault.Kind]agent.Program{}
	for kind, p := range found {
		switch err := proc.CheckCapabilities(p.Capabilities); {
		case builtIn[kind] != nil:
			log.Error("a plugin is not used: there is a built-in fault of its kind", "plugin", p.Path)
		case err != nil:
			log.Error("a plugin is not used", "plugin", p.Path, "error", err)
		default:
			programs[kind] = agent.Program{Info: p.Info, Program: journal.Program{Path: p.Path, SHA256: p.SHA256, Capabilities: p.Capabilities}}
			log.Info("third-party plugin", "fault", kind, "plugin", p.Path, "sha256", p.SHA256, "contract", p.Contract, "capabilities", p.Capabilities)
		}
	}
	return programs
}

// program is a third-party plugin that runs; its group goes with it.
type program struct {
	*pluginhost.Plugin
	group string // empty: none
}

// groupRemoval bounds the wait for the kernel to let go of a group's last process.
const groupRemoval = time.Second

func (p program) Kill() {
	p.Plugin.Kill()
	if p.group != "" {
		_ = cgroup.Remove(p.group, groupRemoval) // what is left goes with the group of all plugins
	}
}

// started counts third-party plugins: each start has another group, so that the
// end of one takes none from the next.
var started atomic.Uint64

// launchProgram starts a third-party plugin, if it still is the executable that
// was pinned, with the capabilities it was granted, in a group of its own below
// that of all plugins (empty: there are no groups).
func (o *options) launchProgram(ctx context.Context, kind fault.Kind, p journal.Program, group string, log *slog.Logger) (agent.Plugin, error) {
	if err := pluginfolder.Verify(p.Path, p.SHA256); err != nil {
		if errors.Is(err, pluginfolder.ErrDigest) {
			err = fault.Refuse("", "plugin %s: %v; put the pinned one back, or install the new one with its own manifest and restart the agent", kind, err)
		}
		return nil, err
	}
	if group != "" {
		group = filepath.Join(group, fmt.Sprintf("%s.%d", kind, started.Add(1)))
		if err := cgroup.Create(group); err != nil {
			return nil, err
		}
	}
	plugin, err := pluginhost.Launch(ctx, pluginhost.Config{
		Kind: kind, Path: p.Path, Confined: true, Capabilities: p.Capabilities,
		Dir: o.pluginDir(), Lock: journal.LockPath(o.root), Cgroup: group, Logger: log.With("fault", string(kind)),
	})
	if err != nil {
		if group != "" {
			_ = cgroup.Remove(group, groupRemoval)
		}
		return nil, err
	}
	return program{plugin, group}, nil
}

// startProgram starts the executable that a record pins, for those who revert
// without the plugin process that applied.
func (o *options) startProgram(log *slog.Logger) func(context.Context, fault.Kind, journal.Program, string) (fault.Driver, func(), error) {
	return func(ctx context.Context, kind fault.Kind, p journal.Program, group string) (fault.Driver, func(), error) {
		if err := os.MkdirAll(o.pluginDir(), 0o700); err != nil {
			return nil, nil, fmt.Errorf("start plugin %s: %w", kind, err)
		}
		plugin, err := o.launchProgram(ctx, kind, p, group, log)
		if err != nil {
			return nil, nil, err
		}
		return plugin, plugin.Kill, nil
	}
}

// startHere is startProgram in the group of the caller, whom nobody fences.
func (o *options) startHere(log *slog.Logger) guardian.Starter {
	start := o.startProgram(log)
	return func(ctx context.Context, kind fault.Kind, p journal.Program) (fault.Driver, func(), error) {
		return start(ctx, kind, p, "")
	}
}
