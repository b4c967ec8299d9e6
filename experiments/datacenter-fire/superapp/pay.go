package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
)

// payment is a transfer as it lies in the active store, under a conversation of
// its own, so that its number is audited as a message's is.
type payment struct {
	Conversation string `json:"conversation"`
	N            *int64 `json:"n,omitempty"`
	From         string `json:"from"`
	To           string `json:"to"`
	Amount       int64  `json:"amount"`
}

const payments = "pay" // the conversation, the topic and the kind in the book

// till takes payments. The active store says which payments there are and in
// which order; the book on this host's disk, where they are added up, follows it.
type till struct {
	*desk
	book accounts
}

// pay takes payments and transfers: each is stored in the active store before it
// is confirmed, and a number that is sent twice moves money once, because the
// store and every book know it by its number.
//
//	POST /pay   201 once the payment is stored, 409 when the payer has not got so much
//	GET  /sum   the accounts in this desk's book and the sum of all money
func pay(ctx context.Context, args []string, log *slog.Logger) error {
	return atDesk(ctx, "pay", args, log, opening{routes: func(ctx context.Context, d *desk) error {
		book, err := openAccounts(d.data)
		if err != nil {
			return err
		}
		t := &till{desk: d, book: book}
		go t.follow(ctx)
		d.mux.HandleFunc("POST /pay", t.take)
		d.mux.HandleFunc("GET /sum", (&branch{accounts: book, log: log}).sum)
		return nil
	}})
}

func (t *till) take(w http.ResponseWriter, r *http.Request) {
	p, err := readPayment(w, r)
	if err != nil {
		refuse(w, err)
		return
	}
	switch err := t.store(r.Context(), p); {
	case errors.Is(err, errShort):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		missing(w, err)
	default:
		answer(w, http.StatusCreated, p)
	}
}

// store confirms what the active store has acknowledged.
func (t *till) store(ctx context.Context, p payment) error {
	if ok, err := t.book.affords(ctx, p.From, p.Amount); err != nil || !ok {
		return errors.Join(err, errShort)
	}
	s, epoch, err := t.active()
	if err != nil {
		return err
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.publish(ctx, payments+".transfers", data, message{Conversation: payments, N: p.N}.id(), epoch)
}

func readPayment(w http.ResponseWriter, r *http.Request) (payment, error) {
	var p payment
	err := readBody(w, r, &p)
	if err != nil || !(transfer{From: p.From, To: p.To, Amount: p.Amount, N: p.N}).valid() {
		return p, fmt.Errorf(`pay: the body must be {"from": "name", "to": "another", "amount": 1 to %d, "n": 1}`, maxAmount)
	}
	p.Conversation = payments
	return p, nil
}
