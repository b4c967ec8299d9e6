package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var errNotMirror = errors.New("store is no mirror")

// silence returns how long ago the mirror last heard from its origin. Its lag is
// of no use: it is 0 also when the mirror has heard nothing for minutes.
func (s *store) silence(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, toolWait)
	defer cancel()
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return 0, fmt.Errorf("ask the mirror in %s: %w", s.name, err)
	}
	m := st.CachedInfo().Mirror
	switch {
	case m == nil:
		return 0, fmt.Errorf("ask the mirror in %s: %w", s.name, errNotMirror)
	case m.Active < 0:
		return 0, fmt.Errorf("ask the mirror in %s: it never heard from its origin", s.name)
	}
	return m.Active, nil
}

// promote makes the mirror a store of its own: it drops the mirror, takes this
// store's subjects and waits until a test message is acknowledged. Promoting
// twice is the same as once, so anybody may finish what another began.
func (s *store) promote(ctx context.Context, epoch int64) error {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("promote %s: %w", s.name, err)
	}
	c := st.CachedInfo().Config
	if c.Mirror != nil {
		c.Mirror, c.Subjects = nil, []string{s.name + ".>"}
		if _, err := s.js.UpdateStream(ctx, c); err != nil {
			return fmt.Errorf("promote %s: %w", s.name, err)
		}
	}
	for ctx.Err() == nil {
		if err = s.publish(ctx, "check", []byte("promoted"), "", epoch); err == nil {
			return nil
		}
	}
	return fmt.Errorf("promote %s: %w", s.name, err)
}

// create lays out an ordinary store; one that exists is left as it is.
func (s *store) create(ctx context.Context, replicas int) error {
	return s.lay(ctx, jetstream.StreamConfig{
		Name: stream, Subjects: []string{s.name + ".>"}, Replicas: replicas,
		Storage: jetstream.FileStorage, Duplicates: 2 * time.Minute,
	})
}

// mirroring is the laying out of one mirror.
type mirroring struct {
	mirror, origin *store
	replicas       int
	laid           time.Time
}

// patience is how long a new mirror may stay empty. One that missed its origin
// at the first try sits out a back-off of up to 40 s; laid out anew it tries at once.
const patience = 5 * time.Second

func (m *mirroring) lay(ctx context.Context) error {
	m.laid = time.Now()
	return m.mirror.mirrorOf(ctx, m.origin.name, m.replicas)
}

// follow returns nil when the mirror holds what the origin held at the call,
// at least one message.
func (m *mirroring) follow(ctx context.Context) error {
	origin, err := m.origin.js.Stream(ctx, stream)
	if err == nil && origin.CachedInfo().State.LastSeq == 0 {
		err = m.origin.publish(ctx, "check", []byte("laid out"), "", 0)
		return errors.Join(err, errors.New("origin was empty"))
	}
	if err != nil {
		return err
	}
	st, err := m.mirror.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return errors.Join(err, m.lay(ctx))
	}
	if err != nil {
		return err
	}
	now := st.CachedInfo()
	switch {
	case now.Config.Mirror == nil: // promoted long ago
		return nil
	case now.State.LastSeq >= origin.CachedInfo().State.LastSeq:
		return nil
	case now.State.LastSeq == 0 && time.Since(m.laid) > patience:
		m.laid = time.Now()
		return errors.Join(errors.New("mirror stays empty: laid out anew"), m.mirror.js.DeleteStream(ctx, stream))
	}
	return fmt.Errorf("mirror has %d of %d", now.State.LastSeq, origin.CachedInfo().State.LastSeq)
}

// mirrorOf lays out a mirror of the origin. It waits until the origin's API
// answers across the leaf, or the mirror would sit out a back-off of up to 40 s.
func (s *store) mirrorOf(ctx context.Context, origin string, replicas int) error {
	far, err := jetstream.NewWithDomain(s.nc, origin)
	if err != nil {
		return fmt.Errorf("mirror %s: %w", origin, err)
	}
	if _, err := far.Stream(ctx, stream); err != nil {
		return fmt.Errorf("mirror %s: %w", origin, err)
	}
	return s.lay(ctx, jetstream.StreamConfig{
		Name: stream, Replicas: replicas, Storage: jetstream.FileStorage,
		Mirror: &jetstream.StreamSource{Name: stream, Domain: origin},
	})
}

func (s *store) lay(ctx context.Context, c jetstream.StreamConfig) error {
	_, err := s.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.js.CreateStream(ctx, c)
	}
	if err != nil {
		return fmt.Errorf("lay out store %s: %w", s.name, err)
	}
	return nil
}
