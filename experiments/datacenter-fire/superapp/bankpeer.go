package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	peerWait   = 500 * time.Millisecond
	peerEvery  = 200 * time.Millisecond
	peerMax    = 2 * time.Second // back-off while the peer is dark
	peerBatch  = 200
	startAlone = 2 * time.Second  // a bank that starts waits so long for its peer, or both would decide
	startWait  = 10 * time.Second // at most, for what the peer booked while this bank was dark
	statusBusy = http.StatusServiceUnavailable
)

// branch is one of the bank's two sites. In step, every transfer is in both
// books before it is confirmed and one site decides whether there is money for
// it. When the other does not answer, each goes on alone and catches up later.
type branch struct {
	accounts
	peer   string // "" for a bank of one site
	second bool   // asks the peer to decide while they are in step
	kakao  kakao
	log    *slog.Logger

	alone   atomic.Bool
	started atomic.Bool // it has what the peer booked while it was dark
}

// settle books a transfer here or lets the first site decide.
func (b *branch) settle(ctx context.Context, t transfer) error {
	if b.second && !b.alone.Load() {
		err := call(ctx, 2*peerWait, http.MethodPost, "http://"+b.peer+"/decide", t, nil)
		if r := (*refused)(nil); err == nil || errors.As(err, &r) && r.status != statusBusy {
			return err
		}
		b.goAlone(err)
	}
	return b.bookHere(ctx, t)
}

// bookHere books in this site's own book and, in step, in the peer's.
func (b *branch) bookHere(ctx context.Context, t transfer) error {
	if err := b.book(ctx, t, false, b.peer != ""); err != nil {
		return err
	}
	if b.peer == "" || b.alone.Load() {
		return nil
	}
	if err := b.handOver(ctx, t); err != nil {
		b.goAlone(err)
	}
	return nil
}

func (b *branch) handOver(ctx context.Context, t transfer) error {
	if err := call(ctx, peerWait, http.MethodPost, "http://"+b.peer+"/replica", t, nil); err != nil {
		return err
	}
	return b.confirmed(ctx, t.ID)
}

func (b *branch) goAlone(why error) {
	if !b.alone.Swap(true) {
		b.log.Info("going on alone, transfers wait for the peer", "peer", b.peer, "error", why)
	}
}

// catchUp brings to the peer what it has not got, whenever it went dark, until
// ctx ends. It also waits, at the start, for what the peer has for this site.
func (b *branch) catchUp(ctx context.Context) {
	b.alone.Store(true)
	begin := time.Now()
	for wait, round := peerEvery, 0; ; round++ {
		// Now and then also in step: what was booked while it came about may be left over.
		if b.alone.Load() || round%10 == 0 {
			if err := b.bringAll(ctx); err != nil {
				wait = min(2*wait, peerMax)
			} else if wait = peerEvery; b.alone.Swap(false) {
				b.log.Info("in step with the peer", "peer", b.peer)
			}
		}
		if !b.started.Load() {
			wait = peerEvery
			b.started.Store(b.mayStart(ctx, time.Since(begin)))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// mayStart reports whether this site may decide: it has what the peer had for
// it, or the peer has not answered for long enough.
func (b *branch) mayStart(ctx context.Context, since time.Duration) bool {
	if b.alone.Load() {
		return since > startAlone
	}
	return since > startWait || !b.peerOwes(ctx)
}

// bringAll empties the outbox; an empty one is no proof that the peer is there.
func (b *branch) bringAll(ctx context.Context) error {
	if err := call(ctx, peerWait, http.MethodGet, "http://"+b.peer+"/pending", nil, nil); err != nil {
		return err
	}
	for {
		some, err := b.owed(ctx, peerBatch)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, t := range some {
			if err := b.handOver(ctx, t); err != nil {
				return err
			}
		}
	}
}

// peerOwes reports whether the peer answers and has transfers for this site.
func (b *branch) peerOwes(ctx context.Context) bool {
	var n map[string]int
	err := call(ctx, peerWait, http.MethodGet, "http://"+b.peer+"/pending", nil, &n)
	return err == nil && n["pending"] > 0
}
