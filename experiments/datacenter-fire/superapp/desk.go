package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
)

// desk is what a process needs to serve people: where the company is active and
// a connection to every store.
type desk struct {
	*compass
	company
	stores map[string]*store

	tool   *tool
	secret string
	mux    *http.ServeMux
	log    *slog.Logger
}

// opening is what one service adds to a desk: the flags that only it has, and
// its routes, for which it may open what it needs until ctx ends.
type opening struct {
	flags  func(*flag.FlagSet)
	routes func(context.Context, *desk) error
}

// atDesk runs a service of one desk: flags, connections, the door, the listener.
func atDesk(ctx context.Context, name string, args []string, log *slog.Logger, o opening) error {
	d := desk{mux: http.NewServeMux(), log: log}
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	d.bind(f)
	listen := f.String("listen", "", "address to listen on")
	f.StringVar(&d.secret, "door", "", "secret that signs an order through the door; empty: the door stays shut")
	if o.flags != nil {
		o.flags(f)
	}
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if d.tool, err = openTool(d.etcd); err != nil {
		return err
	}
	defer d.tool.close()
	if d.stores, err = openStores(d.sites, log); err != nil {
		return err
	}
	defer closeStores(d.stores)
	if d.compass, err = d.watch(ctx, ofCompany); err != nil {
		return err
	}
	if err := o.routes(ctx, &d); err != nil {
		return err
	}
	return serve(ctx, *listen, d.mux, log)
}

// watch follows a topic and opens its door at this desk.
func (d *desk) watch(ctx context.Context, of topic) (*compass, error) {
	c, err := openCompass(of, d.data, d.secret, d.log)
	if err != nil {
		return nil, err
	}
	d.mux.HandleFunc("GET "+of.ask(), c.tell)
	d.mux.HandleFunc("POST "+of.door(), c.obey)
	go c.follow(ctx, d.tool)
	return c, nil
}

// active returns the store that takes writes now.
func (d *desk) active() (*store, int64, error) {
	a, err := d.now()
	if err != nil {
		return nil, 0, err
	}
	s := d.stores[a.Site]
	switch {
	case s == nil:
		return nil, 0, fmt.Errorf("serve: active site %q has no store here", a.Site)
	case a.State != stateActive:
		return nil, 0, fmt.Errorf("serve: %s is %s", a.Site, a.State)
	}
	return s, a.Epoch, nil
}
