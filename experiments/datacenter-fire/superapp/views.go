package main

import (
	"context"
	"encoding/json"
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
}

// follow asks one store until ctx ends; a store that is no mirror is asked in vain.
func (h *heard) follow(ctx context.Context, s *store) {
	for {
		if silence, err := s.silence(ctx); err == nil {
			h.note(s.name, time.Now().Add(-silence))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (h *heard) note(name string, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.at {
		if h.at[i].store == name {
			h.at[i].at = at
			return
		}
	}
	h.at = append(h.at, hearing{name, at})
}

// state is the mirror as it stood when the store it mirrors went dark.
func (h *heard) state(name string, dark time.Time) mirrorState {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := mirrorState{name: name}
	for _, one := range h.at {
		if one.store == name {
			m.known, m.silence = true, max(0, dark.Sub(one.at))
		}
	}
	return m
}
