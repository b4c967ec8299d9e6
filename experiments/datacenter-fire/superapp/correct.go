package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"time"
)

// correct is what people do when the tools are back with yesterday's truth: it
// writes into etcd what the desks were told through their doors meanwhile.
func correct(ctx context.Context, args []string, log *slog.Logger) error {
	var endpoints, doors, cacheDoors list
	f := flag.NewFlagSet("correct", flag.ContinueOnError)
	f.Var(&endpoints, "etcd", "etcd endpoints, comma separated")
	f.Var(&doors, "doors", "desks that know where the company is active")
	f.Var(&cacheDoors, "cache-doors", "desks that know which map of the login cache counts")
	insist := f.Duration("insist", 20*time.Second, "how long to try")
	if err := f.Parse(args); err != nil {
		return err
	}
	t, err := openTool(endpoints)
	if err != nil {
		return err
	}
	defer t.close()
	ctx, cancel := context.WithTimeout(ctx, *insist)
	defer cancel()
	for of, asked := range map[topic]list{ofCompany: doors, ofCache: cacheDoors} {
		if len(asked) == 0 {
			continue
		}
		s := step{"correct " + string(of), func(ctx context.Context) error {
			return t.catchUp(ctx, of, highest(ctx, of, asked))
		}}
		if err := s.insist(ctx, log); err != nil {
			return err
		}
	}
	return nil
}

// catchUp makes the tool say what is newer than what it says.
func (t *tool) catchUp(ctx context.Context, of topic, to active) error {
	if to.Epoch == 0 {
		return errors.New("no desk says where it stands")
	}
	now, rev, err := t.where(ctx, of)
	if err != nil && !errors.Is(err, errNoActive) {
		return err
	}
	if now.Epoch >= to.Epoch {
		return nil // somebody was here already
	}
	_, err = t.move(ctx, of, rev, to)
	return err
}
