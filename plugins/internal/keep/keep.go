// Package keep is for faults that last while a process of ours does something:
// it repeats, burns or holds. Keeper does it in the background until the
// injection's end, and a Mark tells every process of the host who does it and
// what came of it so far. What is kept ends with its process at the latest; what
// a Holder holds, also with the agent.
package keep

import (
	"os"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Keeper knows what this process keeps doing, by the injection's owner. The zero
// value is ready.
type Keeper struct {
	starting sync.Mutex // one Apply at a time
	mu       sync.Mutex
	live     map[string]*Kept
}

// Kept is what is done for one injection.
type Kept struct {
	agent int // pid of the process that started this one
	mu    sync.Mutex
	until fault.BootTime // 0: no end
	stop  chan struct{}
	done  chan struct{}
}

// Apply moves the end of what this process keeps for owner, or else calls start
// and has what that returns, if anything, go on in the background. It must return
// soon once Wait says so.
func (k *Keeper) Apply(owner string, until fault.BootTime, start func() (run func(*Kept), err error)) error {
	k.starting.Lock()
	defer k.starting.Unlock()
	if kept := k.of(owner); kept != nil {
		kept.mu.Lock()
		defer kept.mu.Unlock()
		kept.until = until
		return nil
	}
	run, err := start()
	if err != nil || run == nil {
		return err
	}
	kept := &Kept{agent: os.Getppid(), until: until, stop: make(chan struct{}), done: make(chan struct{})}
	k.mu.Lock()
	if k.live == nil {
		k.live = map[string]*Kept{}
	}
	k.live[owner] = kept
	k.mu.Unlock()
	go func() {
		defer close(kept.done)
		run(kept)
	}()
	return nil
}

// Stop ends what this process keeps for owner and waits for it; nothing is fine.
func (k *Keeper) Stop(owner string) {
	k.mu.Lock()
	kept := k.live[owner]
	delete(k.live, owner)
	k.mu.Unlock()
	if kept != nil {
		close(kept.stop)
		<-kept.done
	}
}

// Until is the end of what this process keeps; false if it keeps nothing of the
// owner's.
func (k *Keeper) Until(owner string) (fault.BootTime, bool) {
	if kept := k.of(owner); kept != nil {
		return kept.Until(), true
	}
	return 0, false
}

func (k *Keeper) of(owner string) *Kept {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.live[owner]
}

// Until is when it ends, as of the last renewal; 0: never.
func (k *Kept) Until() fault.BootTime {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.until
}

// orphaned says that the agent is gone, getppid(2).
func (k *Kept) orphaned() bool { return os.Getppid() != k.agent }

// step is how often Wait looks for the end.
const step = 100 * time.Millisecond

// Wait sleeps until next and says whether to go on then.
func (k *Kept) Wait(next fault.BootTime) bool {
	for {
		now := fault.Now()
		if until := k.Until(); until != 0 && now >= until {
			return false
		}
		select {
		case <-k.stop:
			return false
		case <-time.After(max(0, min(next.Sub(now), step))):
		}
		if fault.Now() >= next {
			return true
		}
	}
}
