package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const viewLife = 3 // seconds a view stays when its controller falls silent

// exchange writes one controller's view under a fresh lease and reads all views.
// Fresh, because keeping a lease alive needs a stream that hangs on a dark member.
func (t *tool) exchange(ctx context.Context, v view) ([]view, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var all []view
	err = t.ask(ctx, func(ctx context.Context, c *clientv3.Client) error {
		l, err := c.Grant(ctx, viewLife)
		if err != nil {
			return fmt.Errorf("lease a view: %w", err)
		}
		r, err := c.Txn(ctx).Then(
			clientv3.OpPut(viewsKey+v.Host, string(b), clientv3.WithLease(l.ID)),
			clientv3.OpGet(viewsKey, clientv3.WithPrefix()),
		).Commit()
		if err != nil {
			return fmt.Errorf("write a view: %w", err)
		}
		for _, kv := range r.Responses[1].GetResponseRange().Kvs {
			var one view
			if err := json.Unmarshal(kv.Value, &one); err != nil {
				return fmt.Errorf("read the view %s: %w", kv.Key, err)
			}
			all = append(all, one)
		}
		return nil
	})
	return all, err
}

// heard remembers when each mirror last heard from its origin. What is asked
// after the failure tells the same moment, so it need not be asked in time.
type heard struct {
	mu sync.Mutex
	at []hearing
}

type hearing struct {
	store string
	at    time.Time
	own   bool // it is no mirror: it has a history of its own
}

// follow asks one store until ctx ends. One that does not answer keeps what it said last.
func (h *heard) follow(ctx context.Context, s *store) {
	for {
		silence, err := s.silence(ctx)
		switch {
		case err == nil:
			h.note(hearing{store: s.name, at: time.Now().Add(-silence)})
		case errors.Is(err, errNotMirror):
			h.note(hearing{store: s.name, own: true})
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (h *heard) note(now hearing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.at {
		if h.at[i].store == now.store {
			h.at[i] = now
			return
		}
	}
	h.at = append(h.at, now)
}

// state is the mirror as it stood when the store it mirrors went dark.
func (h *heard) state(name string, dark time.Time) mirrorState {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := mirrorState{name: name}
	for _, one := range h.at {
		if one.store == name {
			m.own, m.known, m.silence = one.own, !one.own, max(0, dark.Sub(one.at))
		}
	}
	return m
}
