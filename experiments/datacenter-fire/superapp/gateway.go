package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const readWait = 20 * time.Second

// desk is what a process needs to serve people: where the company is active and
// a connection to every store.
type desk struct {
	*compass
	stores map[string]*store
}

// gateway takes text messages for the active store and reads them back.
//
//	POST /messages               201 after the active store's acknowledgement
//	GET  /messages?conversation= the numbers of a conversation, repeats dropped
//	GET  /ids?conversation=&site= the numbers as stored, on that site's own disks
//	GET  /active, POST /override where the company is active; the door
func gateway(ctx context.Context, args []string, log *slog.Logger) error {
	mux := http.NewServeMux()
	return atDesk(ctx, "gateway", args, log, mux, nil, func(d *desk) {
		mux.HandleFunc("POST /messages", d.post)
		mux.HandleFunc("GET /messages", func(w http.ResponseWriter, r *http.Request) { d.list(w, r, once) })
		mux.HandleFunc("GET /ids", func(w http.ResponseWriter, r *http.Request) {
			d.list(w, r, func(ns []int64) []int64 { return ns })
		})
	})
}

// atDesk runs a service of one desk: flags, connections, the door, the listener.
func atDesk(ctx context.Context, name string, args []string, log *slog.Logger, mux *http.ServeMux, extra func(*flag.FlagSet), routes func(*desk)) error {
	var c company
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	c.bind(f)
	listen := f.String("listen", "", "address to listen on")
	if extra != nil {
		extra(f)
	}
	secret := f.String("door", "", "secret that signs an order through the door; empty: the door stays shut")
	if err := f.Parse(args); err != nil {
		return err
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
	where, err := openCompass(c.data, *secret, log)
	if err != nil {
		return err
	}
	go where.follow(ctx, t)
	routes(&desk{where, stores})
	mux.HandleFunc("GET /active", where.tell)
	mux.HandleFunc("POST /override", where.obey)
	return serve(ctx, *listen, mux, log)
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

func (d *desk) post(w http.ResponseWriter, r *http.Request) {
	m, err := readMessage(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s, epoch, err := d.active()
	var data []byte
	if err == nil {
		data, err = json.Marshal(m)
	}
	if err == nil {
		err = s.publish(r.Context(), "talk."+m.Conversation, data, m.id(), epoch)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// list answers with the numbers of one conversation from the active store, or
// from the store that the query names. A company with a single store has it on
// every site's disks.
func (d *desk) list(w http.ResponseWriter, r *http.Request, pick func([]int64) []int64) {
	q := r.URL.Query()
	s, _, err := d.active()
	if name := q.Get("site"); name != "" {
		if s, err = d.stores[name], nil; s == nil && len(d.stores) == 1 {
			s, _, err = d.active()
		}
		if s == nil && err == nil {
			err = fmt.Errorf("read: no store at site %q", name)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	msgs, err := s.all(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	conversation := q.Get("conversation")
	if conversation == "" {
		conversation = "talk"
	}
	answer(w, http.StatusOK, pick(numbers(msgs, conversation)))
}
