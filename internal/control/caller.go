package control

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// ErrUnreachable says that no agent of that name answered in time.
var ErrUnreachable = errors.New("agent unreachable")

// callTimeout is how long Call waits when its context says nothing shorter.
const callTimeout = 30 * time.Second

// clockSkew is how far a host's clock may be ahead of the injector's.
const clockSkew = 10 * time.Second

// Caller is the injector's side: it signs commands, sends them to agents and
// collects their evidence.
type Caller struct {
	nc         *nats.Conn
	key        ed25519.PrivateKey
	run        string
	planDigest string
	events     chan Spooled
	done       chan struct{}

	mu     sync.Mutex
	agents map[string]*sender
}

// sender is what the injector knows of one agent's evidence.
type sender struct {
	last    uint64 // sequence number taken last
	gaps    uint64 // numbers that never came
	dropped uint64 // as reported by the agent
}

// NewCaller returns a Caller for one run over an open connection, which stays
// the caller's to close. It takes evidence as soon as it exists: read Events.
func NewCaller(nc *nats.Conn, key ed25519.PrivateKey, run, planDigest string) (*Caller, error) {
	if !runID.MatchString(run) {
		return nil, fmt.Errorf("create caller: bad run id %q", run)
	}
	c := &Caller{nc: nc, key: key, run: run, planDigest: planDigest,
		events: make(chan Spooled, 1024), done: make(chan struct{}), agents: map[string]*sender{}}
	if _, err := nc.Subscribe(SubjectEvidence+run+".*", c.receive); err != nil {
		return nil, fmt.Errorf("subscribe to evidence: %w", err)
	}
	return c, nil
}

// Call sends one command to one agent and decodes its answer into out (nil: not
// wanted). It waits until ctx ends, 30 s at most. ErrUnreachable: nobody
// answered; *RemoteError: the agent refused.
func (c *Caller) Call(ctx context.Context, agent string, verb Verb, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	data, err := c.sign(ctx, agent, verb, body)
	if err != nil {
		return err
	}
	m, err := c.nc.RequestWithContext(ctx, SubjectCommands+Token(agent), data)
	if err != nil {
		return fmt.Errorf("send %s to %s: %w: %w", verb, agent, ErrUnreachable, err)
	}
	var r reply
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return fmt.Errorf("decode answer of %s to %s: %w", agent, verb, err)
	}
	if r.Error != nil {
		return r.Error
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return fmt.Errorf("decode answer of %s to %s: %w", agent, verb, err)
	}
	return nil
}

func (c *Caller) sign(ctx context.Context, agent string, verb Verb, body any) ([]byte, error) {
	cmd := Command{ID: nats.NewInbox()[len(nats.InboxPrefix):], Run: c.run, PlanDigest: c.planDigest,
		Agents: []string{agent}, Issued: time.Now(), Verb: verb}
	// A late copy of a command must not act after its sender gave it up.
	cmd.NotAfter = cmd.Issued.Add(callTimeout + clockSkew)
	if deadline, ok := ctx.Deadline(); ok {
		cmd.NotAfter = deadline.Add(clockSkew)
	}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode %s for %s: %w", verb, agent, err)
		}
		cmd.Body = b
	}
	return Sign(c.key, cmd)
}

// Each calls do for every agent at once and returns what each returned.
func Each(agents []string, do func(agent string) error) map[string]error {
	out := make(map[string]error, len(agents))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, agent := range agents {
		wg.Go(func() {
			err := do(agent)
			mu.Lock()
			defer mu.Unlock()
			out[agent] = err
		})
	}
	wg.Wait()
	return out
}
