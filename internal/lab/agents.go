package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// startAgents starts one out-of-band agent a rack and keeps it running: beside
// the hosts, in the fabric's network namespace, in a group of its own.
func (s *supervisor) startAgents(ctx context.Context) {
	if s.spec.HostAgent == "" {
		return
	}
	for _, r := range s.spec.Racks {
		if !r.Clients {
			go s.keepAgent(ctx, r)
		}
	}
}

func (s *supervisor) keepAgent(ctx context.Context, r rackSpec) {
	log := s.log.With("agent", agentName(r.Name))
	for ctx.Err() == nil {
		p, err := s.startAgent(r)
		if err != nil {
			log.Error("agent not started", "error", err)
		} else {
			code, err := p.Wait()
			log.Info("agent ended", "code", code, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(restartPause):
		}
	}
}

// startAgent starts an out-of-band agent. Its group is made anew: the kernel
// kills at birth what is cloned into a group that was killed before.
func (s *supervisor) startAgent(r rackSpec) (*proc.Process, error) {
	name := filepath.Join(agentsGroup, r.Name)
	for _, top := range labGroups(s.spec.ID, s.spec.Hierarchies) {
		// The guardian may still be at work below it: then the group stays.
		_ = os.Remove(filepath.Join(top, name))
	}
	groups, err := createGroup(s.spec, name)
	if err != nil {
		return nil, err
	}
	shares(groups, agentShares)
	realTime(groups, agentsRealTime/len(s.spec.Racks))
	if err := os.MkdirAll(agentRoot(s.spec.Dir, r.Name), 0o700); err != nil {
		return nil, fmt.Errorf("make root of agent: %w", err)
	}
	out, err := openLog(s.spec.RunDir, agentName(r.Name), "hostagent")
	if err != nil {
		return nil, err
	}
	defer out.Close()
	broker := mgmtDir(s.spec.Dir)
	return s.forkInFabric(groups, proc.Spec{
		Path: s.spec.HostAgent,
		Args: []string{
			"serve", "--root", agentRoot(s.spec.Dir, r.Name), "--name", agentName(r.Name), "--out-of-band",
			"--hosts", strings.Join(r.Hosts, ","), "--power", powerSocket(s.spec.Dir),
			"--nats", "unix://" + broker + "/broker.sock", "--keys", broker,
		},
		Dir: "/", Stdout: out, Stderr: out, Attr: &syscall.SysProcAttr{Setsid: true},
	})
}

// forkInFabric starts a process in the fabric's network namespace.
func (s *supervisor) forkInFabric(groups []string, spec proc.Spec) (*proc.Process, error) {
	ns, err := netns.Open(fmt.Sprintf("/proc/%d/ns/net", s.state.Power.PID))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return forkInto(groups, spec, ns.Enter)
}
