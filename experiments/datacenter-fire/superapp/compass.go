package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const followEvery = 250 * time.Millisecond

var errLost = errors.New("serve: this process has neither read etcd nor been told by the door where the company is active")

// compass knows where a topic stands: from etcd, or from an order that came
// through the door. The higher epoch wins, so an order holds until etcd has been
// corrected, also when etcd comes back with yesterday's truth.
type compass struct {
	of     topic
	path   string // of the order on this host's disk; "" keeps none
	secret string
	log    *slog.Logger

	mu       sync.Mutex
	read     active // last value from etcd
	hasRead  bool
	order    order // last order; epoch 0: none
	hasOrder bool  // accepted in this life of the process
}

// openCompass reads the order this host was given before it restarted. That one
// only outranks an older value of etcd; it does not let the process serve by itself.
func openCompass(of topic, data, secret string, log *slog.Logger) (*compass, error) {
	c := &compass{of: of, secret: secret, log: log}
	if data == "" {
		return c, nil
	}
	c.path = filepath.Join(data, "order-"+string(of)+".json")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("open the door: %w", err)
	}
	b, err := os.ReadFile(c.path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the door: %w", err)
	}
	if err := json.Unmarshal(b, &c.order); err != nil {
		return nil, fmt.Errorf("read the order: %w; remove %s", err, c.path)
	}
	return c, nil
}

// follow polls etcd until ctx ends and keeps the last value it got.
func (c *compass) follow(ctx context.Context, t *tool) {
	for {
		if a, _, err := t.where(ctx, c.of); err == nil {
			c.take(a)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(followEvery):
		}
	}
}

// take accepts what etcd says; an order that etcd has caught up with is dropped.
func (c *compass) take(a active) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hasRead || a != c.read {
		c.log.Info("etcd says", string(c.of), a.Site, "epoch", a.Epoch, "state", a.State, "order", c.order.Epoch)
	}
	c.read, c.hasRead = a, true
	if c.order.Epoch == 0 || a.Epoch < c.order.Epoch || a.State != stateActive {
		return
	}
	if err := c.forget(); err != nil {
		c.log.Error("drop the order", "error", err)
	}
}

func (c *compass) forget() error {
	c.order, c.hasOrder = order{}, false
	if c.path == "" {
		return nil
	}
	if err := os.Remove(c.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// now returns where the company is active, or errLost.
func (c *compass) now() (active, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.hasRead && !c.hasOrder {
		return active{}, errLost
	}
	if c.order.Epoch > c.read.Epoch {
		return active{Site: c.order.Site, Epoch: c.order.Epoch, State: stateActive}, nil
	}
	return c.read, nil
}

// obey is the door: POST a signed order. It needs no etcd.
func (c *compass) obey(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&o); err != nil {
		http.Error(w, "read the order: "+err.Error(), http.StatusBadRequest)
		return
	}
	if o.Of != c.of || !o.signedWith(c.secret) {
		http.Error(w, "read the order: wrong signature", http.StatusForbidden)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if o.Epoch < max(c.order.Epoch, c.read.Epoch) {
		http.Error(w, fmt.Sprintf("obey the order: epoch %d is over", o.Epoch), http.StatusConflict)
		return
	}
	if err := c.keep(o); err != nil {
		http.Error(w, "keep the order: "+err.Error(), http.StatusInternalServerError)
		return
	}
	c.order, c.hasOrder = o, true
	c.log.Info("the door says", string(c.of), o.Site, "epoch", o.Epoch)
	w.WriteHeader(http.StatusNoContent)
}

// keep writes the order durably before it is obeyed.
func (c *compass) keep(o order) error {
	if c.path == "" {
		return nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return replaceFile(c.path, b)
}

// ask is the path that tells where a topic stands.
func (t topic) ask() string { return "/" + string(t) }

// door is the path that takes orders about a topic.
func (t topic) door() string {
	if t == ofCompany {
		return "/override"
	}
	return "/override/" + string(t)
}

// tell answers where the topic stands.
func (c *compass) tell(w http.ResponseWriter, _ *http.Request) {
	a, err := c.now()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusOK, a)
}
