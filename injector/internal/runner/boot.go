package runner

import (
	"context"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/plan"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

// bootLimit is how long a host that is powered on may take until its agent
// answers; nothing depends on it but what is shown and logged.
const bootLimit = 10 * time.Second

// booted logs each host that got its power back, as soon as the agent inside it
// answers.
func (d *drive) booted(ctx context.Context, items []plan.Injection) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	var hosts []string
	for _, i := range items {
		if takesHost(i) {
			hosts = append(hosts, i.Host)
		}
	}
	control.Each(hosts, func(host string) error {
		for {
			var s control.StatusReply
			err := d.agents.Call(ctx, host, control.VerbStatus, nil, &s)
			if err == nil {
				d.log(evidence.Event{Type: evidence.AgentConnected, Host: host, Agent: host})
			}
			if err == nil || !sleep(ctx, 200*time.Millisecond) {
				return err
			}
		}
	})
}
