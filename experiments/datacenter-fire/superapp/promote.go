package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const doorWait = 500 * time.Millisecond

// promote is what a person does at a console when the tools are gone: make the
// standby store a store of its own and tell desks through their doors. It may be
// done again.
func promote(ctx context.Context, args []string, log *slog.Logger) error {
	o := doorOrder{of: ofCompany}
	var c company
	f := flag.NewFlagSet("promote", flag.ContinueOnError)
	c.bind(f)
	o.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	target, ok := c.sites.named(o.to)
	if !ok {
		return fmt.Errorf("promote: --to %q names no --store", o.to)
	}
	s, err := openStore(target, log)
	if err != nil {
		return err
	}
	defer s.nc.Close()
	epoch := o.epoch(ctx)
	pctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := (step{"promote " + o.to, func(ctx context.Context) error { return s.promote(ctx, epoch) }}).insist(pctx, log); err != nil {
		return err
	}
	return o.give(ctx, epoch, log)
}

// move tells desks through their doors where a topic stands now: a service is
// moved to where the store was promoted before, or logins to another map of the
// cache.
func move(ctx context.Context, args []string, log *slog.Logger) error {
	o := doorOrder{of: ofCompany}
	f := flag.NewFlagSet("move", flag.ContinueOnError)
	o.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	return o.give(ctx, o.epoch(ctx), log)
}

// doorOrder is an order as a person gives it.
type doorOrder struct {
	of     topic
	to     string
	doors  list
	secret string
}

func (o *doorOrder) bind(f *flag.FlagSet) {
	f.Var(&o.of, "of", "what moves: active or cache")
	f.Var(&o.doors, "doors", "host:port of every desk that is told, comma separated")
	f.StringVar(&o.to, "to", "", "site where it stands from now on")
	f.StringVar(&o.secret, "secret", "", "secret that signs the order")
}

// epoch is one above the highest that any of the desks knows; one that already
// stands at the wanted site keeps its epoch.
func (o *doorOrder) epoch(ctx context.Context) int64 {
	top := highest(ctx, o.of, o.doors)
	if top.Site == o.to && top.State == stateActive {
		return top.Epoch
	}
	return top.Epoch + 1
}

// give sends the order; it is an error when no door took it.
func (o *doorOrder) give(ctx context.Context, epoch int64, log *slog.Logger) error {
	told := tellDoors(ctx, o.doors, order{Of: o.of, Site: o.to, Epoch: epoch}.sign(o.secret), log)
	if told == 0 {
		return errors.New("move: no door was reached; try again when a desk is up")
	}
	log.Info("moved", string(o.of), o.to, "epoch", epoch, "doors", fmt.Sprintf("%d of %d", told, len(o.doors)))
	return nil
}

// highest is the newest that any of the desks knows of a topic.
func highest(ctx context.Context, of topic, doors []string) active {
	found := make(chan active)
	for _, d := range doors {
		go func() {
			var a active
			_ = call(ctx, doorWait, http.MethodGet, "http://"+d+of.ask(), nil, &a)
			found <- a
		}()
	}
	var top active
	for range doors {
		if a := <-found; a.Epoch > top.Epoch {
			top = a
		}
	}
	return top
}

// tellDoors sends the order everywhere at once and returns how many took it.
func tellDoors(ctx context.Context, doors []string, o order, log *slog.Logger) int {
	answers := make(chan error)
	for _, d := range doors {
		go func() {
			err := call(ctx, doorWait, http.MethodPost, "http://"+d+o.Of.door(), o, nil)
			if err != nil {
				err = fmt.Errorf("tell %s: %w", d, err)
			}
			answers <- err
		}()
	}
	told := 0
	for range doors {
		if err := <-answers; err != nil {
			log.Info("door not reached", "error", err)
			continue
		}
		told++
	}
	return told
}
