package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// live is what this process applied and has not reverted.
type live struct {
	mu      sync.Mutex
	entries map[string]liveEntry
	changed chan struct{} // has an element when entries changed
}

type liveEntry struct {
	item  RawItem
	until BootTime
	busy  []chan struct{} // each closed when an Apply of it has ended; a renewal may overtake another
}

func newLive() *live {
	return &live{entries: map[string]liveEntry{}, changed: make(chan struct{}, 1)}
}

// liveKey identifies an injection by what Revert is given: its record and target.
func liveKey(t Target, change json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, change) != nil {
		b.Reset()
		b.Write(change)
	}
	target, _ := json.Marshal(t) // strings and numbers only: can't fail
	return string(target) + b.String()
}

// add notes items with their end. The returned function is told the outcome: an
// injection that was live before and could not be renewed keeps its old end, a
// new one stays noted, because it may have been applied in part.
func (l *live) add(items []RawItem, until BootTime) (settle func([]Applied)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := map[int]liveEntry{}
	idle := make(chan struct{})
	for i, it := range items {
		key := liveKey(it.Target, it.Change)
		if old, ok := l.entries[key]; ok {
			before[i] = old
		}
		l.entries[key] = liveEntry{item: it, until: until, busy: append(running(before[i].busy), idle)}
	}
	l.wake()
	return func(applied []Applied) {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(idle)
		for i, old := range before {
			key := liveKey(items[i].Target, items[i].Change)
			now, still := l.entries[key]
			if still && (i >= len(applied) || applied[i].Err != nil) {
				old.busy = running(now.busy)
				l.entries[key] = old
			}
		}
		l.wake()
	}
}

// running leaves out what is closed.
func running(busy []chan struct{}) []chan struct{} {
	return slices.DeleteFunc(slices.Clone(busy), func(idle chan struct{}) bool {
		select {
		case <-idle:
			return true
		default:
			return false
		}
	})
}

// settled waits until no Apply of the injection runs: a Revert that overtook it
// would leave the change behind.
func (l *live) settled(ctx context.Context, t Target, change json.RawMessage) error {
	l.mu.Lock()
	e, ok := l.entries[liveKey(t, change)]
	l.mu.Unlock()
	if !ok {
		return nil
	}
	for _, idle := range e.busy {
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("wait for the end of apply: %w", ctx.Err())
		}
	}
	return nil
}

func (l *live) remove(t Target, change json.RawMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, liveKey(t, change))
	l.wake()
}

func (l *live) wake() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// due returns the injections that have ended at now, when the next one ends
// (zero: none will) and how many there are in all. One without an end is due.
func (l *live) due(now BootTime) (due []RawItem, next BootTime, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		switch {
		case e.until <= now:
			due = append(due, e.item)
		case next == 0 || e.until < next:
			next = e.until
		}
	}
	return due, next, len(l.entries)
}

// ended says whether Revert left nothing of its injection to be reverted.
func ended(err error) bool {
	return err == nil || errors.Is(err, ErrGone) || errors.Is(err, ErrStuck)
}
