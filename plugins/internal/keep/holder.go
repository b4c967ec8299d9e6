package keep

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Hold is what a process of ours holds for one injection: threads, or memory. V
// is what the mark says of it, for whoever observes.
type Hold[V any] interface {
	// Keep is called again and again, and says whether What has changed. What it
	// holds is released after an error.
	Keep() (changed bool, err error)
	What() V
	Release()
}

// Holder holds for the injections of one kind of fault.
type Holder[V any] struct {
	kind   fault.Kind
	keeper Keeper
}

// NewHolder returns a holder of a kind of fault.
func NewHolder[V any](kind fault.Kind) *Holder[V] { return &Holder[V]{kind: kind} }

// held is what the mark says.
type held[V any] struct {
	By   process.ID `json:"by"`
	What V          `json:"what"`
}

func (h *Holder[V]) mark(owner string) Mark[held[V]] { return MarkOf[held[V]](h.kind, owner) }

// keepEvery is how often Keep is called and the agent is looked for.
const keepEvery = 100 * time.Millisecond

// Apply takes what is to be held, or renews. The mark is made before: without one
// nobody but this process could tell.
func (h *Holder[V]) Apply(owner string, until fault.BootTime, take func() (Hold[V], error), log *slog.Logger) error {
	return h.keeper.Apply(owner, until, func() (func(*Kept), error) {
		own, err := process.Own()
		if err != nil {
			return nil, err
		}
		m := h.mark(owner)
		if err := h.endOther(owner); err != nil { // one that died, or hangs
			return nil, err
		}
		if _, err := m.Make(held[V]{By: own}); err != nil {
			return nil, err
		}
		hold, err := take()
		if err != nil {
			return nil, errors.Join(err, m.Remove())
		}
		if err := m.Update(held[V]{own, hold.What()}); err != nil {
			hold.Release()
			return nil, errors.Join(err, m.Remove())
		}
		return func(k *Kept) {
			defer hold.Release()
			if err := keepHolding(k, m, own, hold); err != nil {
				log.Error("what was held is released", "error", err)
			}
		}, nil
	})
}

// errOrphaned ends what takes something from the host all the time.
var errOrphaned = errors.New("the agent is gone")

func keepHolding[V any](k *Kept, m Mark[held[V]], own process.ID, hold Hold[V]) error {
	for k.Wait(fault.Now().Add(keepEvery)) {
		if k.orphaned() {
			return errOrphaned
		}
		changed, err := hold.Keep()
		if err == nil && changed {
			err = m.Update(held[V]{own, hold.What()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Held is what Observe finds.
type Held[V any] struct {
	Present bool       // there is a mark
	By      process.ID // who holds
	Ended   bool       // that process is gone, and what it held with it
	What    V
}

// Observe finds out who holds for owner, and what.
func (h *Holder[V]) Observe(owner string) (found Held[V], err error) {
	m, err := h.mark(owner).Read()
	if errors.Is(err, ErrNoMark) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	over, err := m.By.Ended()
	return Held[V]{Present: true, By: m.By, Ended: over, What: m.What}, err
}

// Revert releases what is held, in this process or with the process that holds,
// and removes the mark.
func (h *Holder[V]) Revert(owner string) error {
	h.keeper.Stop(owner)
	return errors.Join(h.endOther(owner), h.mark(owner).Remove())
}

// endLimit is how long a killed process may take to be gone.
const endLimit = 2 * time.Second

// endOther kills the process that holds, if it is another one, and waits for its
// end: who acts in its place has fenced it as a rule, and then it is gone already.
func (h *Holder[V]) endOther(owner string) error {
	m, err := h.mark(owner).Read()
	if errors.Is(err, ErrNoMark) {
		return nil
	}
	own, err2 := process.Own()
	if err = errors.Join(err, err2); err != nil || m.By == own {
		return err
	}
	err = m.By.Signal(unix.SIGKILL)
	if errors.Is(err, process.ErrEnded) {
		return nil
	}
	for end := time.Now().Add(endLimit); err == nil; time.Sleep(time.Millisecond) {
		var over bool
		over, err = m.By.Ended()
		if over {
			return nil
		}
		if err == nil && time.Now().After(end) {
			err = fmt.Errorf("end %s, which holds: it is still there after %v", m.By, endLimit)
		}
	}
	return err
}
