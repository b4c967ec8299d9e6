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

// gateway takes text messages for the active store and reads them back.
//
//	POST /messages               201 after the active store's acknowledgement
//	GET  /messages?conversation= the numbers of a conversation, repeats dropped
//	GET  /ids?conversation=&site= the numbers as stored, on that site's own disks
//	GET  /active, POST /override where the company is active; the door
func gateway(ctx context.Context, args []string, log *slog.Logger) error {
	most := 0
	return atDesk(ctx, "gateway", args, log, opening{
		flags: func(f *flag.FlagSet) {
			f.IntVar(&most, "most", 128, "messages taken at once; more are turned away, so that those inside get through")
		},
		routes: func(_ context.Context, d *desk) error {
			d.mux.HandleFunc("POST /messages", admit(most, d.post))
			d.mux.HandleFunc("GET /messages", func(w http.ResponseWriter, r *http.Request) { d.list(w, r, once) })
			d.mux.HandleFunc("GET /ids", func(w http.ResponseWriter, r *http.Request) {
				d.list(w, r, func(ns []int64) []int64 { return ns })
			})
			return nil
		},
	})
}

// admit turns away at once what comes while most are inside: a herd that waits
// in line would time out and come again.
func admit(most int, inside http.HandlerFunc) http.HandlerFunc {
	places := make(chan struct{}, most)
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			inside(w, r)
		default:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "take the message: too many at once; try again later", http.StatusServiceUnavailable)
		}
	}
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
