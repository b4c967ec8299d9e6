package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// agent is this side of a stand-in: a fault.Driver that runs in another process,
// perhaps in another host.
type agent struct {
	in   *os.File // its stdin
	kill func()   // ends it by SIGKILL and waits
	seq  atomic.Uint64

	mu      sync.Mutex
	waiting map[uint64]chan reply
	gone    chan struct{} // closed when it no longer answers
}

var errAgentGone = errors.New("the stand-in of the agent is gone")

// newAgent talks to a stand-in by the other ends of its stdin and stdout.
func newAgent(in, out *os.File, kill func()) *agent {
	a := &agent{in: in, kill: kill, waiting: map[uint64]chan reply{}, gone: make(chan struct{})}
	go func() {
		defer close(a.gone)
		defer out.Close()
		dec := json.NewDecoder(out)
		for {
			var r reply
			if dec.Decode(&r) != nil {
				return
			}
			a.mu.Lock()
			c := a.waiting[r.Seq]
			delete(a.waiting, r.Seq)
			a.mu.Unlock()
			if c != nil {
				c <- r
			}
		}
	}()
	return a
}

// die kills the stand-in as a crash would: its plugin is left alone.
func (a *agent) die() {
	a.kill()
	<-a.gone
	_ = a.in.Close()
}

// close ends the stand-in and its plugin.
func (a *agent) close() {
	_ = a.in.Close()
	<-a.gone
	a.kill()
}

func (a *agent) send(r request) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.in.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("%w: %w", errAgentGone, err)
	}
	return nil
}

// call asks the stand-in. When ctx ends the request is cancelled there, and the
// answer to that is waited for.
func (a *agent) call(ctx context.Context, r request) (reply, error) {
	r.Seq = a.seq.Add(1)
	c := make(chan reply, 1)
	a.mu.Lock()
	a.waiting[r.Seq] = c
	a.mu.Unlock()
	if err := a.send(r); err != nil {
		return reply{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = a.send(request{Op: opCancel, Cancel: r.Seq}) })
	defer stop()
	select {
	case rep := <-c:
		return rep, rep.Error.Err()
	case <-a.gone:
		return reply{}, errAgentGone
	}
}

func (a *agent) launch(ctx context.Context, l launchRequest) (reply, error) {
	return a.call(ctx, request{Op: opLaunch, Launch: &l})
}

// signal sends the plugin a signal.
func (a *agent) signal(ctx context.Context, sig syscall.Signal) error {
	_, err := a.call(ctx, request{Op: opSignal, Signal: int(sig)})
	return err
}

// killPlugin kills the plugin at the instant at.
func (a *agent) killPlugin(ctx context.Context, at fault.BootTime) error {
	_, err := a.call(ctx, request{Op: opKill, At: at})
	return err
}

func (a *agent) Describe(ctx context.Context) (fault.Info, error) {
	r, err := a.call(ctx, request{Op: opDescribe})
	return r.Info, err
}

func (a *agent) Prepare(ctx context.Context, t fault.Target, params json.RawMessage) (json.RawMessage, error) {
	r, err := a.call(ctx, request{Op: opPrepare, Target: t, Params: params})
	return r.Change, err
}

func (a *agent) Apply(ctx context.Context, items []fault.RawItem, at, until fault.BootTime) ([]fault.Applied, error) {
	r, err := a.call(ctx, request{Op: opApply, Items: items, At: at, Until: until})
	return r.Applied, err
}

func (a *agent) Observe(ctx context.Context, t fault.Target, change json.RawMessage) (fault.Observation, error) {
	r, err := a.call(ctx, request{Op: opObserve, Target: t, Change: change})
	return r.Observation, err
}

func (a *agent) Revert(ctx context.Context, t fault.Target, change json.RawMessage) error {
	_, err := a.call(ctx, request{Op: opRevert, Target: t, Change: change})
	return err
}

var _ fault.Driver = (*agent)(nil)
