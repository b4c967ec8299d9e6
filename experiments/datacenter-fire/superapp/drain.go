package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// quiet is how long the old store must have stood still before it is left: a
// write on its way is acknowledged within publishWait or never.
const quiet = publishWait + 200*time.Millisecond

// drain moves the company while its active store still stands, so that there is
// only one history: the old store stops taking writes, the mirror gets all it
// has, is promoted, and the tool says so. Nobody serves in between. When the
// mirror cannot catch up in time the old store takes writes again and nothing
// has moved. It may be done again.
func drain(ctx context.Context, args []string, log *slog.Logger) error {
	var c company
	f := flag.NewFlagSet("drain", flag.ContinueOnError)
	c.bind(f)
	from := f.String("from", "", "store that is active")
	to := f.String("to", "", "store that is to be")
	insist := f.Duration("insist", 10*time.Second, "how long to try, and then to take it back")
	if err := f.Parse(args); err != nil {
		return err
	}
	if err := c.sites.all(*from, *to); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	t, err := openTool(c.etcd)
	if err != nil {
		return err
	}
	defer t.close()
	stores, err := openStores(c.sites, log)
	if err != nil {
		return err
	}
	defer closeStores(stores)
	m := handover{tool: t, old: stores[*from], next: stores[*to], log: log}
	return m.run(ctx, *insist)
}

// handover is the move of the company from one store to the other.
type handover struct {
	tool      *tool
	old, next *store
	log       *slog.Logger

	last  uint64    // of the old store when it was last looked at
	since time.Time // it has stood there since
}

func (m *handover) run(ctx context.Context, insist time.Duration) error {
	tctx, cancel := context.WithTimeout(ctx, insist)
	defer cancel()
	var a active
	var rev int64
	if err := (step{"ask where the company is active", func(ctx context.Context) (err error) {
		a, rev, err = m.tool.active(ctx)
		return err
	}}).insist(tctx, m.log); err != nil {
		return err
	}
	if a.Site == m.next.name && a.State == stateActive {
		return nil
	}
	if a.Site != m.old.name || a.State != stateActive {
		return fmt.Errorf("drain %s: the company is %s at %s; drain it from there", m.old.name, a.State, a.Site)
	}
	next := active{Site: m.next.name, Epoch: a.Epoch + 1, State: stateActive}
	if err := insistAll(tctx, m.log,
		step{"close " + m.old.name, m.close},
		step{"see " + m.next.name + " have all", m.caughtUp},
	); err != nil {
		return errors.Join(err, m.takeBack(ctx, insist))
	}
	return insistAll(tctx, m.log,
		step{"promote " + m.next.name, func(ctx context.Context) error { return m.next.promote(ctx, next.Epoch) }},
		step{"move the login cache", func(ctx context.Context) error { return m.tool.catchUp(ctx, ofCache, next) }},
		step{"say " + next.Site, func(ctx context.Context) error { return m.say(ctx, rev, next) }})
}

// close takes the old store's subjects away, so that the store itself refuses
// writes, also those of a desk that has heard nothing.
func (m *handover) close(ctx context.Context) error {
	if err := m.old.takes(ctx, m.old.name+"-closed.>"); err != nil {
		return err
	}
	err := m.old.publish(ctx, "check", []byte("closed"), "", 0)
	switch {
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return nil
	case err == nil:
		return fmt.Errorf("close %s: it still takes writes", m.old.name)
	}
	return err
}

// caughtUp returns nil when the old store has stood still for quiet and the
// mirror has its last message.
func (m *handover) caughtUp(ctx context.Context) error {
	here, err := m.old.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	if last := here.CachedInfo().State.LastSeq; last != m.last || m.since.IsZero() {
		m.last, m.since = last, time.Now()
	}
	there, err := m.next.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	if has := there.CachedInfo().State.LastSeq; has < m.last {
		return fmt.Errorf("%s has %d of %d", m.next.name, has, m.last)
	}
	if time.Since(m.since) < quiet {
		return fmt.Errorf("%s may have a write on its way", m.old.name)
	}
	return nil
}

// say enters the new store in the tool; a second try finds it there.
func (m *handover) say(ctx context.Context, rev int64, next active) error {
	if a, _, err := m.tool.active(ctx); err == nil && a == next {
		return nil
	}
	_, err := m.tool.swap(ctx, rev, next)
	return err
}

// takeBack lets the old store take writes again.
func (m *handover) takeBack(ctx context.Context, insist time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, insist)
	defer cancel()
	return step{"open " + m.old.name + " again", func(ctx context.Context) error {
		return m.old.takes(ctx, m.old.name+".>")
	}}.insist(ctx, m.log)
}

// takes says under which subjects the store takes writes.
func (s *store) takes(ctx context.Context, subjects string) error {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	c := st.CachedInfo().Config
	c.Subjects = []string{subjects}
	if _, err := s.js.UpdateStream(ctx, c); err != nil {
		return fmt.Errorf("change what %s takes: %w", s.name, err)
	}
	return nil
}
