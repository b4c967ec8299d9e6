package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// versionHeader carries an item's version, which its writer gives.
const versionHeader = "Fire-Version"

const unchecked = "open the vault: not checked since the power was cut"

// vaultCopy is a vault and whether it is open.
type vaultCopy struct {
	vaultDB
	peers list
	log   *slog.Logger
	shut  atomic.Pointer[string] // why; nil: open
}

// findings is what a check of a vault found.
type findings struct {
	Open    bool     `json:"open"`
	Items   int      `json:"items"`
	Damaged []string `json:"damaged"`
}

// vault runs one copy of a keyed store. One that nobody closed (a power cut, a
// kill) stays shut until its items have been checked: by itself against its
// peers, or by a person when it has none.
//
//	PUT  /items/{key}    201 when it is on the disk
//	GET  /items/{key}, /items?prefix=&last=
//	GET  /state          also while shut
//	POST /check          checks every item, opens if none is damaged
//	GET  /raw?since=, /raw/{key}  for peers that repair themselves, also while shut
func vault(ctx context.Context, args []string, log *slog.Logger) error {
	var s stand
	v := &vaultCopy{log: log}
	f := flag.NewFlagSet("vault", flag.ContinueOnError)
	s.bind(f)
	f.Var(&v.peers, "peer", "host:port of all copies, comma separated; the one on this host is left out")
	if err := f.Parse(args); err != nil {
		return err
	}
	v.peers = slices.DeleteFunc(v.peers, func(peer string) bool { return strings.HasPrefix(peer, s.name+":") })
	var err error
	if v.vaultDB, err = openVaultDB(s.data); err != nil {
		return err
	}
	defer func() { _ = v.db.Close() }()
	left, err := v.take(ctx)
	if err != nil {
		return fmt.Errorf("open the vault: %w", err)
	}
	if left {
		v.close(unchecked)
	}
	if left && len(v.peers) > 0 {
		go v.repair(ctx)
	}
	err = serve(ctx, s.listen, v.routes(), log)
	if v.shut.Load() == nil {
		err = errors.Join(err, v.leave())
	}
	return err
}

func (v *vaultCopy) close(why string) {
	v.shut.Store(&why)
	v.log.Info("shut", "why", why)
}

func (v *vaultCopy) open() {
	if v.shut.Swap(nil) != nil {
		v.log.Info("open")
	}
}

func (v *vaultCopy) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /items/{key...}", v.whenOpen(v.putItem))
	mux.HandleFunc("GET /items/{key...}", v.whenOpen(v.getItem))
	mux.HandleFunc("GET /items", v.whenOpen(v.listItems))
	mux.HandleFunc("GET /state", v.state)
	mux.HandleFunc("POST /check", v.checkNow)
	mux.HandleFunc("GET /raw/{key...}", v.getItem)
	mux.HandleFunc("GET /raw", v.listRaw)
	return mux
}

func (v *vaultCopy) whenOpen(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if why := v.shut.Load(); why != nil {
			http.Error(w, *why, http.StatusServiceUnavailable)
			return
		}
		h(w, r)
	}
}

func (v *vaultCopy) putItem(w http.ResponseWriter, r *http.Request) {
	i := item{Key: r.PathValue("key")}
	var err error
	if !validKey(i.Key) {
		err = errors.New("put the item: a key is lower-case letters, digits and dashes between slashes, at most 128")
	} else if i.Version, err = strconv.ParseInt(r.Header.Get(versionHeader), 10, 64); err != nil || i.Version < 1 {
		err = errors.New("put the item: the header " + versionHeader + " must be a number from 1 on")
	} else if i.Body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxItem)); err != nil {
		err = fmt.Errorf("put the item: %w", err)
	}
	if err != nil {
		refuse(w, err)
		return
	}
	i.Sum = sum(i.Body)
	switch err := v.put(r.Context(), i); {
	case errors.Is(err, errConflict):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		missing(w, fmt.Errorf("put the item: %w", err))
	default:
		w.WriteHeader(http.StatusCreated)
	}
}

func validKey(k string) bool { return len(k) <= 128 && itemKey.MatchString(k) }

// getItem answers with the item and its body as JSON, so that nothing about it gets lost.
func (v *vaultCopy) getItem(w http.ResponseWriter, r *http.Request) {
	i, err := v.get(r.Context(), r.PathValue("key"))
	switch {
	case errors.Is(err, errNoItem):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		missing(w, err)
	default:
		answer(w, http.StatusOK, i)
	}
}

func (v *vaultCopy) listItems(w http.ResponseWriter, r *http.Request) {
	last, err := optional(r, "last")
	if err != nil {
		refuse(w, err)
		return
	}
	prefix := r.URL.Query().Get("prefix")
	if !itemPrefix.MatchString(prefix) {
		refuse(w, errors.New("list the items: a prefix is lower-case letters, digits, dashes and slashes"))
		return
	}
	tellAll[item](w)(v.list(r.Context(), prefix, int(last)))
}

func (v *vaultCopy) listRaw(w http.ResponseWriter, r *http.Request) {
	since, err := optional(r, "since")
	if err != nil {
		refuse(w, err)
		return
	}
	tellAll[item](w)(v.since(r.Context(), since))
}

func (v *vaultCopy) state(w http.ResponseWriter, r *http.Request) {
	n, err := column[int](r.Context(), v.db, `SELECT count(*) FROM items`)
	if err != nil {
		missing(w, fmt.Errorf("count the items: %w", err))
		return
	}
	reason := ""
	if why := v.shut.Load(); why != nil {
		reason = *why
	}
	answer(w, http.StatusOK, map[string]any{"open": reason == "", "reason": reason, "items": n[0]})
}

func (v *vaultCopy) checkNow(w http.ResponseWriter, r *http.Request) {
	n, damaged, err := v.check(r.Context())
	if err != nil {
		missing(w, err)
		return
	}
	if len(damaged) == 0 {
		v.open()
	}
	v.log.Info("checked", "items", n, "damaged", damaged)
	answer(w, http.StatusOK, findings{Open: v.shut.Load() == nil, Items: n, Damaged: damaged})
}
