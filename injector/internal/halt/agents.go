package halt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/firedrill-io/firedrill/internal/control"
)

// Pauses of halting agents directly.
const (
	oneTry   = 5 * time.Second
	tryAgain = 500 * time.Millisecond
)

// Caller sends one command to one agent; *control.Caller does it.
type Caller interface {
	Call(ctx context.Context, agent string, verb control.Verb, body, out any) error
}

// Result is what became of halting agents directly.
type Result struct {
	Confirmed []string         // agents that say that nothing of theirs is live, sorted
	Reverted  []string         // what they reverted, as agent: injection, sorted
	Failed    map[string]error // agents that did not confirm, and why
}

// Agents tells the agents inside hosts, and those beside them, to revert
// everything, until all have confirmed it or ctx ends: a host that just got its
// power back answers late. An agent beside hosts that nobody runs is no failure.
func Agents(ctx context.Context, c Caller, by string, hosts, beside []string) Result {
	h := &halting{caller: c, request: control.HaltRequest{By: by}, out: Result{Failed: map[string]error{}}}
	waiting := append(slices.Clone(hosts), beside...)
	for {
		h.try(ctx, waiting)
		waiting = slices.DeleteFunc(slices.Sorted(maps.Keys(h.out.Failed)), func(agent string) bool {
			return h.final(agent) || (h.absent(agent) && !slices.Contains(hosts, agent))
		})
		if len(waiting) == 0 || !pause(ctx, tryAgain) {
			break
		}
	}
	maps.DeleteFunc(h.out.Failed, func(agent string, _ error) bool { return h.absent(agent) && !slices.Contains(hosts, agent) })
	slices.Sort(h.out.Confirmed)
	slices.Sort(h.out.Reverted)
	h.out.Reverted = slices.Compact(h.out.Reverted)
	return h.out
}

type halting struct {
	caller  Caller
	request control.HaltRequest

	mu  sync.Mutex
	out Result
}

// absent says that nobody listens under the agent's name.
func (h *halting) absent(agent string) bool {
	return errors.Is(h.out.Failed[agent], nats.ErrNoResponders)
}

// final says that the agent will go on refusing.
func (h *halting) final(agent string) bool {
	return errors.Is(h.out.Failed[agent], control.ErrSignature)
}

func (h *halting) try(ctx context.Context, agents []string) {
	control.Each(agents, func(agent string) error {
		ctx, cancel := context.WithTimeout(ctx, oneTry)
		defer cancel()
		var reply control.RevertReply
		err := h.caller.Call(ctx, agent, control.VerbHalt, h.request, &reply)
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, e := range reply.Ended {
			if e.Phase == "" && e.Error != nil {
				err = errors.Join(err, fmt.Errorf("%s is not reverted: %w", e.ID, e.Error))
				continue
			}
			h.out.Reverted = append(h.out.Reverted, fmt.Sprintf("%s: %s %s", agent, e.ID, e.Phase))
		}
		if err != nil {
			h.out.Failed[agent] = err
			return err
		}
		delete(h.out.Failed, agent)
		h.out.Confirmed = append(h.out.Confirmed, agent)
		return nil
	})
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
