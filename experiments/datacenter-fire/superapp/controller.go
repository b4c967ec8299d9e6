package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	probeEvery = 300 * time.Millisecond
	probeWait  = 400 * time.Millisecond
	firstLook  = 5 * time.Second // until where the controllers stand is judged
)

// watcher is one controller. It learns of a failure only through its own
// probes and promotes only through etcd, where the first to write wins.
type watcher struct {
	company
	rule   rule
	tool   *tool
	stores map[string]*store
	notes  *notebook
	log    *slog.Logger

	heard heard     // when each mirror last heard from its origin
	dark  time.Time // since when a majority is unreachable; zero: it is not
	told  bool      // what the mirror knew then is written down
	about active    // what dark belongs to
	born  time.Time
}

// controller watches the active store from the host it runs on.
func controller(ctx context.Context, args []string, log *slog.Logger) error {
	w := watcher{log: log, born: time.Now()}
	f := flag.NewFlagSet("controller", flag.ContinueOnError)
	w.bind(f)
	f.DurationVar(&w.rule.after, "after", 3*time.Second, "how long a majority of the store's servers must be unreachable")
	f.IntVar(&w.rule.sites, "sites", 2, "from how many sites that must be seen")
	f.DurationVar(&w.rule.maxSilence, "max-silence", 5*time.Second, "how long the mirror may have heard nothing when the store failed")
	f.BoolVar(&w.rule.acceptLoss, "accept-loss", false, "promote also when the mirror was silent for longer")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if w.notes, err = openNotebook(w.data, os.Stderr); err != nil {
		return err
	}
	return w.run(ctx)
}

func (w *watcher) run(ctx context.Context) error {
	var err error
	if w.tool, err = openTool(w.etcd); err != nil {
		return err
	}
	defer w.tool.close()
	if w.stores, err = openStores(w.sites, w.log); err != nil {
		return err
	}
	defer closeStores(w.stores)
	for _, s := range w.stores {
		go w.heard.follow(ctx, s)
	}
	for {
		start := time.Now()
		w.look(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(probeEvery - time.Since(start)):
		}
	}
}

// look is one round: probe, publish what is seen, act on what all see.
func (w *watcher) look(ctx context.Context) {
	a, rev, err := w.tool.active(ctx)
	if err != nil {
		if !errors.Is(err, errNoActive) {
			w.log.Debug("etcd does not answer", "error", err)
		}
		a, rev = w.about, 0 // go on watching what was active; nothing can be decided
	}
	s, ok := w.sites.named(a.Site)
	if !ok {
		return
	}
	v := w.see(ctx, a, s)
	if rev == 0 {
		return
	}
	if a.State == statePromoting {
		w.finish(ctx, a, rev)
		return
	}
	views, err := w.tool.exchange(ctx, v)
	if err != nil {
		w.log.Info("etcd does not take the view", "error", err)
		return
	}
	m := mirrorState{}
	standby, ok := w.sites.standby(a.Site)
	if ok {
		m = w.heard.state(standby.name, w.dark)
	}
	if v.Dark > 0 && v.Dark < w.rule.after {
		return // patience
	}
	if v.Dark > 0 && m.known && !w.told {
		w.told = true
		w.note(fmt.Sprintf("when a majority of %s's store servers went, the mirror in %s had last heard from it %s before", a.Site, m.name, m.silence.Round(time.Millisecond)))
	}
	switch yes, why := decide(a, views, m, w.rule); {
	case yes:
		w.begin(ctx, standby.name, a, rev)
	case why != "":
		w.note(why)
	case v.Dark == 0 && ok && time.Since(w.born) > firstLook:
		if why := standing(a, views, m, w.rule); why != "" {
			w.note(why)
		}
	}
}

// see probes the active store's servers and keeps since when a majority is gone.
func (w *watcher) see(ctx context.Context, a active, s site) view {
	up := reachable(ctx, s.servers)
	if a != w.about || !lost(up, len(s.servers)) {
		w.dark, w.told = time.Time{}, false
	}
	if lost(up, len(s.servers)) && w.dark.IsZero() {
		w.dark = time.Now()
		w.log.Info("a majority is unreachable", "store", s.name, "reachable", up, "servers", len(s.servers))
	}
	w.about = a
	v := view{Host: w.name, Site: w.site, Store: s.name, Epoch: a.Epoch, Reachable: up, Servers: len(s.servers)}
	if !w.dark.IsZero() {
		v.Dark = time.Since(w.dark)
	}
	return v
}

// begin claims the promotion; whoever is second finds the epoch changed.
func (w *watcher) begin(ctx context.Context, to string, from active, rev int64) {
	next := active{Site: to, Epoch: from.Epoch + 1, State: statePromoting}
	rev, err := w.tool.swap(ctx, rev, next)
	if err != nil {
		w.log.Info("did not begin", "error", err)
		return
	}
	w.log.Info("promoting", "from", from.Site, "to", to, "epoch", next.Epoch)
	w.finish(ctx, next, rev)
}

// finish does what is left of a promotion, its own or another controller's.
func (w *watcher) finish(ctx context.Context, a active, rev int64) {
	s := w.stores[a.Site]
	if s == nil {
		w.note("promotion to " + a.Site + " cannot be finished: no such store here")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.promote(ctx, a.Epoch); err != nil {
		w.log.Info("not promoted yet", "error", err)
		return
	}
	a.State = stateActive
	if err := w.tool.catchUp(ctx, ofCache, a); err != nil {
		w.log.Info("the login cache is not moved yet", "error", err)
		return
	}
	if _, err := w.tool.swap(ctx, rev, a); err != nil {
		w.log.Info("did not finish", "error", err)
		return
	}
	w.log.Info("promoted", "store", a.Site, "epoch", a.Epoch)
}

func (w *watcher) note(what string) {
	if err := w.notes.write(w.name, what); err != nil {
		w.log.Error("write the finding down", "error", err)
	}
}

// reachable counts the servers that greet a TCP connection as NATS does.
func reachable(ctx context.Context, servers []string) int {
	var up atomic.Int64
	var wg sync.WaitGroup
	for _, addr := range servers {
		wg.Go(func() {
			if greets(ctx, addr) {
				up.Add(1)
			}
		})
	}
	wg.Wait()
	return int(up.Load())
}

func greets(ctx context.Context, addr string) bool {
	d := net.Dialer{Timeout: probeWait}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer func() { _ = c.Close() }()
	_ = c.SetReadDeadline(time.Now().Add(probeWait))
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "INFO ")
}
