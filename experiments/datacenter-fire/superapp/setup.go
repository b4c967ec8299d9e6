package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"time"
)

// setup lays out the stores and then enters the first active site in etcd:
// nobody serves before the company is complete, its mirror included. Every step
// leaves what exists as it is, so it may run again at any time. Afterwards it
// waits for its end: a service that ends would be started again.
func setup(ctx context.Context, args []string, log *slog.Logger) error {
	var c company
	f := flag.NewFlagSet("setup", flag.ContinueOnError)
	c.bind(f)
	replicas := f.Int("replicas", 3, "replicas of each store")
	leader := f.String("leader", "", "server that is to lead the first store; empty: as elected")
	linger := f.Bool("linger", true, "wait for the end instead of ending when done")
	if err := f.Parse(args); err != nil {
		return err
	}
	if len(c.sites) == 0 {
		return errors.New("lay out the stores: give --store name=host,host")
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
	first := stores[c.sites[0].name]
	steps := []step{{"lay out " + first.name, func(ctx context.Context) error { return first.create(ctx, *replicas) }}}
	for _, s := range c.sites[1:] {
		m := &mirroring{mirror: stores[s.name], origin: first, replicas: *replicas}
		steps = append(steps, step{"lay out the mirror in " + s.name, m.lay}, step{"see " + s.name + " follow", m.follow})
	}
	if *leader != "" {
		steps = append(steps, step{"give the lead to " + *leader, func(ctx context.Context) error {
			return first.lead(ctx, *leader)
		}})
	}
	for _, of := range []topic{ofCache, ofCompany} {
		steps = append(steps, step{"enter " + first.name + " as " + string(of), func(ctx context.Context) error { return enter(ctx, t, of, first.name) }})
	}
	if err := insistAll(ctx, log, steps...); err != nil {
		return err
	}
	if *linger {
		<-ctx.Done()
	}
	return nil
}

// step is one thing to get done.
type step struct {
	what string
	do   func(context.Context) error
}

// insist repeats the step until it is done or ctx ends.
func (s step) insist(ctx context.Context, log *slog.Logger) error {
	for last := ""; ; {
		tctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := s.do(tctx)
		cancel()
		if err == nil {
			log.Info("done", "step", s.what)
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
		if err.Error() != last {
			last = err.Error()
			log.Info("not yet", "step", s.what, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// insistAll gets the steps done one after another, up to the first that is not.
func insistAll(ctx context.Context, log *slog.Logger, steps ...step) error {
	for _, s := range steps {
		if err := s.insist(ctx, log); err != nil {
			return err
		}
	}
	return nil
}

// enter writes where a topic stands first, unless it stands somewhere.
func enter(ctx context.Context, t *tool, of topic, name string) error {
	_, _, err := t.where(ctx, of)
	if !errors.Is(err, errNoActive) {
		return err
	}
	if _, err = t.move(ctx, of, 0, active{Site: name, Epoch: 1, State: stateActive}); errors.Is(err, errChanged) {
		return nil
	}
	return err
}

// lead asks the store's leader to hand over to the named server.
func (s *store) lead(ctx context.Context, server string) error {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return err
	}
	if c := st.CachedInfo().Cluster; c == nil || c.Leader == server {
		return nil
	}
	ask, err := json.Marshal(map[string]any{"placement": map[string]string{"preferred": server}})
	if err != nil {
		return err
	}
	if _, err := s.nc.RequestWithContext(ctx, "$JS.API.STREAM.LEADER.STEPDOWN."+stream, ask); err != nil {
		return err
	}
	return fmt.Errorf("lead %s: %s was asked, not yet seen", s.name, server)
}
