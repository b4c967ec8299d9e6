package control

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/nats-io/nats.go"
)

// Events returns the evidence of all agents, each event once, in each agent's
// order. It is closed by Close.
func (c *Caller) Events() <-chan Spooled { return c.events }

// Agents returns the names of the agents that have sent evidence, sorted.
func (c *Caller) Agents() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.agents))
}

// Missing returns how many events of each agent are known to be lost; agents
// without a loss are left out.
func (c *Caller) Missing() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]uint64{}
	for agent, s := range c.agents {
		if n := max(s.gaps, s.dropped); n > 0 {
			out[agent] = n
		}
	}
	return out
}

// Close stops taking evidence and closes Events. What has not been
// acknowledged stays in the agents' spools.
func (c *Caller) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
	default:
		close(c.done)
		close(c.events)
	}
}

// receive is called by the connection for one message at a time.
func (c *Caller) receive(m *nats.Msg) {
	var b batch
	if json.Unmarshal(m.Data, &b) != nil || b.Agent == "" || m.Subject != SubjectEvidence+c.run+"."+Token(b.Agent) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	from := c.agents[b.Agent]
	if from == nil {
		from = &sender{}
		c.agents[b.Agent] = from
	}
	from.dropped = max(from.dropped, b.Dropped)
	for _, e := range b.Events {
		if e.Seq > from.last && !c.take(b.Agent, from, e) {
			break // nobody reads fast enough: the agent keeps the rest and sends it again
		}
	}
	if data, err := json.Marshal(acked{Seq: from.last}); err == nil {
		_ = m.Respond(data)
	}
}

func (c *Caller) take(agent string, from *sender, e Spooled) bool {
	select {
	case c.events <- Spooled{Agent: agent, Seq: e.Seq, Event: e.Event}:
		from.gaps += e.Seq - from.last - 1
		from.last = e.Seq
		return true
	default:
		return false
	}
}
