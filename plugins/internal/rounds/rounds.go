// Package rounds is for faults that destroy at an instant, once or again and
// again, and hold nothing in the kernel: it repeats, keeps count where every
// process of the host can read it, and ends.
//
// A repetition ends with the process that repeats, at the injection's end, and
// when its mark is removed, which Revert does from any process.
package rounds

import (
	"errors"
	"log/slog"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/internal/keep"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
)

// Runner runs the rounds of one kind of fault. T names one thing a round acts on.
type Runner[T any] struct {
	kind   fault.Kind
	keeper keep.Keeper
}

// New returns a runner of a kind of fault.
func New[T any](kind fault.Kind) *Runner[T] { return &Runner[T]{kind: kind} }

// Plan is one injection: what the change record says of it, and what it does.
type Plan[T any] struct {
	Owner string        // drawn by keep.NewOwner in Prepare
	Every time.Duration // 0: once
	// Round acts on all there is, and returns what it acted on and how much was
	// gone before it came to it, which is no error.
	Round func() (acted []T, missed int, err error)
	// Gone asks the kernel how many of what a round acted on are gone.
	Gone func([]T) (int, error)
}

// Tally is what an injection did so far.
type Tally struct {
	Rounds int    // that are over
	Acted  int    // things acted on, in all rounds
	Gone   int    // of these, as the kernel says
	Missed int    // gone by themselves just before
	Ended  bool   // a repetition that does not go on
	Failed string // why, if a round failed
}

// record is what the mark holds.
type record[T any] struct {
	Rounds int            `json:"rounds"`
	Acted  int            `json:"acted"`
	Gone   int            `json:"gone"` // of rounds before the last
	Missed int            `json:"missed"`
	Last   []T            `json:"last,omitempty"`
	By     process.ID     `json:"by"`
	Until  fault.BootTime `json:"until"`
	Failed string         `json:"failed,omitempty"` // what ended a repetition
}

// Apply makes the mark and does the first round, and goes on repeating in the
// background. Called again it does no round, but renews.
func (r *Runner[T]) Apply(p Plan[T], until fault.BootTime, log *slog.Logger) error {
	return r.keeper.Apply(p.Owner, until, func() (func(*keep.Kept), error) {
		m := r.mark(p.Owner)
		own, err := process.Own()
		if err != nil {
			return nil, err
		}
		made, err := m.Make(record[T]{By: own, Until: until})
		if err != nil {
			return nil, err
		}
		if made {
			if err := round(m, p, own, until); err != nil {
				if rec, rerr := m.Read(); rerr == nil && rec.Acted == 0 {
					err = errors.Join(err, m.Remove()) // nothing was touched
				}
				return nil, err
			}
		}
		if p.Every == 0 {
			return nil, nil
		}
		return func(k *keep.Kept) { repeat(k, m, p, own, log) }, nil
	})
}

func (r *Runner[T]) mark(owner string) keep.Mark[record[T]] {
	return keep.MarkOf[record[T]](r.kind, owner)
}

// round does one round and counts it. The rounds before are counted first: what
// they acted on is forgotten then.
func round[T any](m keep.Mark[record[T]], p Plan[T], own process.ID, until fault.BootTime) error {
	rec, err := m.Read()
	if err != nil {
		return err
	}
	gone, err := p.Gone(rec.Last)
	if err != nil {
		return err
	}
	acted, missed, err := p.Round()
	rec.Rounds++
	rec.Gone += gone
	rec.Acted += len(acted)
	rec.Missed += missed
	rec.Last, rec.By, rec.Until = acted, own, until
	return errors.Join(err, m.Update(rec))
}

func repeat[T any](k *keep.Kept, m keep.Mark[record[T]], p Plan[T], own process.ID, log *slog.Logger) {
	next := fault.Now().Add(p.Every)
	for k.Wait(next) {
		err := round(m, p, own, k.Until())
		if errors.Is(err, keep.ErrNoMark) {
			return // reverted by another process
		}
		if err != nil {
			log.Error("a round failed; no more follow", "error", err)
			if rec, rerr := m.Read(); rerr == nil {
				rec.Failed = err.Error()
				_ = m.Update(rec) // Observe sees that the process repeats no more
			}
			return
		}
		next = max(next.Add(p.Every), fault.Now())
	}
}

// Observe returns what the injection did so far, in whichever process; present is
// false if there is no mark of it.
func (r *Runner[T]) Observe(p Plan[T]) (t Tally, present bool, err error) {
	rec, err := r.mark(p.Owner).Read()
	if errors.Is(err, keep.ErrNoMark) {
		return t, false, nil
	}
	if err != nil {
		return t, false, err
	}
	gone, err := p.Gone(rec.Last)
	if err != nil {
		return t, true, err
	}
	t = Tally{Rounds: rec.Rounds, Acted: rec.Acted, Gone: rec.Gone + gone, Missed: rec.Missed, Failed: rec.Failed}
	if p.Every > 0 {
		t.Ended, err = rec.By.Ended()
		// A round renews the end in the mark; one that is overdue for long is no renewal.
		t.Ended = t.Ended || rec.Failed != "" || rec.Until != 0 && fault.Now() >= r.until(p.Owner, rec.Until)
	}
	return t, true, err
}

// until is the end as this process knows it, else as the mark says.
func (r *Runner[T]) until(owner string, marked fault.BootTime) fault.BootTime {
	if until, ok := r.keeper.Until(owner); ok {
		return until
	}
	return marked
}

// Revert ends the repetition and removes the mark. One of another process ends at
// its next round at the latest.
func (r *Runner[T]) Revert(owner string) error {
	err := r.mark(owner).Remove()
	r.keeper.Stop(owner)
	return err
}
