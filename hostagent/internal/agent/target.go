package agent

import (
	"context"
	"slices"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// target resolves a host's name with this agent's own configuration: nothing of
// it comes from the command but the name.
func (a *Agent) target(ctx context.Context, host string, info fault.Info) (fault.Target, error) {
	if !slices.Contains(a.cfg.Hosts, host) {
		return fault.Target{}, refusal("agent %s does not act on host %q; it acts on %v", a.cfg.Name, host, a.cfg.Hosts)
	}
	t := fault.Target{Host: host, BootID: a.bootID, StateDir: a.cfg.Root}
	switch {
	case info.OutOfBand && !a.cfg.OutOfBand:
		return t, refusal("%s is driven by the agent beside the host, and %s runs inside it", info.Kind, a.cfg.Name)
	case !info.OutOfBand && a.cfg.OutOfBand:
		return t, refusal("%s is driven by the agent inside the host, and %s runs beside it", info.Kind, a.cfg.Name)
	}
	if a.cfg.OutOfBand {
		t.Power = a.cfg.Power
		return t, nil
	}
	if a.cfg.Exempt == nil {
		return t, nil
	}
	err := a.cfg.Exempt(ctx, &t)
	return t, err
}
