package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
)

// bank keeps accounts on two sites of its own. Transfers need nothing of Kakao;
// those under /kakao need its login.
//
//	POST /transfers        201 when both books have it, or this one while the peer is dark
//	POST /kakao/transfers  the same after a login through Kakao
//	GET  /ids?kind=        numbers of the transfers in stored order; kind own (default) or kakao
//	GET  /sum              accounts and the sum of all money
//	POST /decide, /replica, GET /pending   between the two sites
func bank(ctx context.Context, args []string, log *slog.Logger) error {
	var s stand
	b := &branch{log: log}
	f := flag.NewFlagSet("bank", flag.ContinueOnError)
	s.bind(f)
	b.kakao.bind(f)
	f.StringVar(&b.peer, "peer", "", "host:port of the bank's other site")
	f.BoolVar(&b.second, "second", false, "let the peer decide while it answers; for one of the two sites")
	if err := f.Parse(args); err != nil {
		return err
	}
	if b.second && b.peer == "" {
		return errors.New("open the bank: --second needs --peer")
	}
	var err error
	if b.accounts, err = openAccounts(s.data); err != nil {
		return err
	}
	defer func() { _ = b.db.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	caught := make(chan struct{})
	go func() {
		defer close(caught)
		if b.peer == "" {
			b.started.Store(true)
			return
		}
		b.catchUp(ctx)
	}()
	err = serve(ctx, s.listen, b.routes(), log)
	cancel()
	<-caught
	return err
}

func (b *branch) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /transfers", b.plain)
	mux.HandleFunc("POST /kakao/transfers", b.throughKakao)
	mux.HandleFunc("POST /decide", b.peerAsks(func(ctx context.Context, t transfer) error { return b.bookHere(ctx, t) }))
	mux.HandleFunc("POST /replica", b.peerAsks(func(ctx context.Context, t transfer) error { return b.book(ctx, t, true, false) }))
	mux.HandleFunc("GET /pending", b.pending)
	mux.HandleFunc("GET /ids", b.numbers)
	mux.HandleFunc("GET /sum", b.sum)
	return mux
}

// request is a transfer as a customer asks for it.
type request struct {
	transfer
	User string `json:"user"`
}

func readRequest(w http.ResponseWriter, r *http.Request, kind string) (request, error) {
	q := request{User: "minji"}
	if err := readBody(w, r, &q); err != nil {
		return q, fmt.Errorf("read the transfer: %w", err)
	}
	if !q.valid() || !conversationName.MatchString(q.User) {
		return q, fmt.Errorf(`read the transfer: the body must be {"from": "name", "to": "another", "amount": 1 to %d, "n": 1}`, maxAmount)
	}
	q.Kind, q.ID = kind, kind+"/"+rand.Text()
	if q.N != nil {
		q.ID = fmt.Sprintf("%s/%d", kind, *q.N)
	}
	return q, nil
}

func (b *branch) plain(w http.ResponseWriter, r *http.Request) {
	q, err := readRequest(w, r, "own")
	if err != nil {
		refuse(w, err)
		return
	}
	b.confirm(w, b.ifStarted(r.Context(), q.transfer, b.settle))
}

func (b *branch) throughKakao(w http.ResponseWriter, r *http.Request) {
	q, err := readRequest(w, r, "kakao")
	if err != nil {
		refuse(w, err)
		return
	}
	if err = b.kakao.login(r.Context(), q.User); err == nil {
		err = b.ifStarted(r.Context(), q.transfer, b.settle)
	}
	b.confirm(w, err)
}

// ifStarted does a step to its end, also when whoever asked has gone: it must
// not stay booked on one side only because of that.
func (b *branch) ifStarted(ctx context.Context, t transfer, do func(context.Context, transfer) error) error {
	if !b.started.Load() {
		return errors.New("book the transfer: the bank is catching up with its other site")
	}
	return do(context.WithoutCancel(ctx), t)
}

// peerAsks takes a transfer from the other site.
func (b *branch) peerAsks(do func(context.Context, transfer) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var t transfer
		if err := readBody(w, r, &t); err != nil || !t.valid() || t.ID == "" || t.Kind == "" {
			refuse(w, errors.New("read the peer's transfer: it is none"))
			return
		}
		if r.URL.Path == "/decide" {
			b.confirm(w, b.ifStarted(r.Context(), t, do))
			return
		}
		b.confirm(w, do(r.Context(), t))
	}
}

func (b *branch) confirm(w http.ResponseWriter, err error) {
	r := (*refused)(nil)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusCreated)
	case errors.Is(err, errShort), errors.Is(err, errOther), errors.As(err, &r) && r.status == http.StatusConflict:
		http.Error(w, err.Error(), http.StatusConflict)
	default:
		missing(w, err)
	}
}

func (b *branch) pending(w http.ResponseWriter, r *http.Request) {
	n, err := column[int](r.Context(), b.db, `SELECT count(*) FROM outbox`)
	if err != nil {
		missing(w, fmt.Errorf("count the outbox: %w", err))
		return
	}
	answer(w, http.StatusOK, map[string]int{"pending": n[0]})
}

func (b *branch) numbers(w http.ResponseWriter, r *http.Request) {
	kind := r.URL.Query().Get("kind")
	if kind == "" {
		kind = "own"
	}
	ns, err := column[int64](r.Context(), b.db, `SELECT n FROM transfers WHERE kind = ? AND n IS NOT NULL ORDER BY seq`, kind)
	if err != nil {
		missing(w, fmt.Errorf("list the transfers: %w", err))
		return
	}
	answer(w, http.StatusOK, ns)
}

func (b *branch) sum(w http.ResponseWriter, r *http.Request) {
	t, err := b.total(r.Context())
	if err != nil {
		missing(w, fmt.Errorf("count the money: %w", err))
		return
	}
	t.Alone = b.alone.Load()
	answer(w, http.StatusOK, t)
}
