package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// rejoin brings the old site back as a mirror of the active one, the way people
// do it: what only the old site's disks have is stored in the active store
// first, then the old stream is deleted and laid out anew as a mirror. A store
// that just went on would have two histories under the same sequence numbers.
func rejoin(ctx context.Context, args []string, log *slog.Logger) error {
	var c company
	f := flag.NewFlagSet("rejoin", flag.ContinueOnError)
	c.bind(f)
	to := f.String("to", "", "store that is active")
	back := f.String("back", "", "store that comes back")
	replicas := f.Int("replicas", 3, "replicas of the new mirror")
	insist := f.Duration("insist", 20*time.Second, "how long to try")
	if err := f.Parse(args); err != nil {
		return err
	}
	if err := c.sites.all(*to, *back); err != nil {
		return fmt.Errorf("rejoin: %w", err)
	}
	stores, err := openStores(c.sites, log)
	if err != nil {
		return err
	}
	defer closeStores(stores)
	ctx, cancel := context.WithTimeout(ctx, *insist)
	defer cancel()
	active, old := stores[*to], stores[*back]
	done, err := old.follows(ctx, log)
	if err != nil || done {
		return err
	}
	if err := save(ctx, old, active, log); err != nil {
		return fmt.Errorf("rejoin %s: %w", old.name, err)
	}
	m := &mirroring{mirror: old, origin: active, replicas: *replicas}
	return insistAll(ctx, log,
		step{"delete the old history of " + old.name, old.forget},
		step{"lay out the mirror in " + old.name, m.lay},
		step{"see " + old.name + " follow", m.follow})
}

// follows says whether the store is a mirror already; it waits until the store
// answers, as its servers have only just come back.
func (s *store) follows(ctx context.Context, log *slog.Logger) (bool, error) {
	mirror := false
	err := step{"ask " + s.name, func(ctx context.Context) error {
		_, err := s.silence(ctx)
		mirror = !errors.Is(err, errNotMirror)
		if errors.Is(err, errNotMirror) {
			return nil
		}
		return err
	}}.insist(ctx, log)
	return mirror, err
}

// forget deletes the stream; one that is gone already is no error.
func (s *store) forget(ctx context.Context) error {
	err := s.js.DeleteStream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return err
}

// save reconciles until it is done or ctx ends: servers that have only just come
// back elect a leader first, and turn readers away meanwhile.
func save(ctx context.Context, old, active *store, log *slog.Logger) error {
	for total := 0; ; {
		saved, err := reconcile(ctx, old, active)
		total += saved
		if err == nil {
			log.Info("reconciled", "from", old.name, "to", active.name, "messages", total)
			return nil
		}
		log.Info("not yet", "step", "reconcile", "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// reconcile stores in active every numbered message that only old has, and says
// how many these were.
func reconcile(ctx context.Context, old, active *store) (int, error) {
	there, err := active.all(ctx)
	if err != nil {
		return 0, err
	}
	here, err := old.all(ctx)
	if err != nil {
		return 0, err
	}
	have := map[string]bool{}
	for _, m := range there {
		if m != nil {
			have[m.Header.Get(nats.MsgIdHdr)] = true
		}
	}
	saved := 0
	for _, m := range here {
		if m == nil {
			continue
		}
		id := m.Header.Get(nats.MsgIdHdr)
		_, topic, ok := strings.Cut(m.Subject, ".")
		if id == "" || have[id] || !ok {
			continue
		}
		if err := active.publish(ctx, topic, m.Data, id, 0); err != nil {
			return saved, fmt.Errorf("save message %s: %w", id, err)
		}
		have[id] = true
		saved++
	}
	return saved, nil
}
