package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

const doorWait = 500 * time.Millisecond

// promote is what a person does at a console when the tools are gone: make the
// standby store a store of its own, tell every gateway through its door, and
// correct etcd if it answers. All of it may be done again.
func promote(ctx context.Context, args []string, log *slog.Logger) error {
	var c company
	var doors list
	f := flag.NewFlagSet("promote", flag.ContinueOnError)
	c.bind(f)
	f.Var(&doors, "doors", "host:port of every gateway and login, comma separated")
	to := f.String("to", "", "store to promote")
	secret := f.String("secret", "", "secret that signs the order")
	insist := f.Duration("insist", time.Second, "how long to try to correct etcd; it is an error only with --must")
	must := f.Bool("must", false, "etcd must be corrected")
	if err := f.Parse(args); err != nil {
		return err
	}
	target, ok := c.sites.named(*to)
	if !ok {
		return fmt.Errorf("promote: --to %q names no --store", *to)
	}
	s, err := openStore(target, log)
	if err != nil {
		return err
	}
	defer s.nc.Close()
	epoch := nextEpoch(ctx, doors, *to)
	pctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := (step{"promote " + *to, func(ctx context.Context) error { return s.promote(ctx, epoch) }}).insist(pctx, log); err != nil {
		return err
	}
	told := tellDoors(ctx, doors, order{Site: *to, Epoch: epoch}.sign(*secret), log)
	if told == 0 {
		return errors.New("promote: no door was reached; try again when a gateway is up")
	}
	log.Info("promoted", "store", *to, "epoch", epoch, "doors", fmt.Sprintf("%d of %d", told, len(doors)))
	err = correct(ctx, c.etcd, active{Site: *to, Epoch: epoch, State: stateActive}, *insist, log)
	if err != nil {
		log.Info("etcd is not corrected: gateways that hear of no order go by what it says", "error", err)
		if *must {
			return err
		}
	}
	return nil
}

// nextEpoch is one above the highest that any gateway knows; a gateway that
// already serves the wanted store keeps its epoch.
func nextEpoch(ctx context.Context, doors []string, to string) int64 {
	found := make(chan active)
	for _, d := range doors {
		go func() {
			var a active
			_ = exchange(ctx, http.MethodGet, "http://"+d+"/active", nil, &a)
			found <- a
		}()
	}
	var top active
	for range doors {
		if a := <-found; a.Epoch > top.Epoch {
			top = a
		}
	}
	if top.Site == to && top.State == stateActive {
		return top.Epoch
	}
	return top.Epoch + 1
}

// tellDoors sends the order everywhere at once and returns how many took it.
func tellDoors(ctx context.Context, doors []string, o order, log *slog.Logger) int {
	answers := make(chan error)
	for _, d := range doors {
		go func() {
			err := exchange(ctx, http.MethodPost, "http://"+d+"/override", o, nil)
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

// correct writes the order into etcd, for at most the given time.
func correct(ctx context.Context, endpoints []string, to active, within time.Duration, log *slog.Logger) error {
	if len(endpoints) == 0 {
		return nil
	}
	t, err := openTool(endpoints)
	if err != nil {
		return err
	}
	defer t.close()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return step{"correct etcd", func(ctx context.Context) error {
		now, rev, err := t.active(ctx)
		if err != nil && !errors.Is(err, errNoActive) {
			return err
		}
		if now.Epoch > to.Epoch || now == to {
			return nil // somebody was here already
		}
		_, err = t.swap(ctx, rev, to)
		return err
	}}.insist(ctx, log)
}

// exchange makes one short HTTP request with JSON both ways; a dark host must
// not hold up the others.
func exchange(ctx context.Context, method, url string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, doorWait)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(b))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
