package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
)

// transfer is one payment as it lies in the active store, under the conversation
// "pay", so that its number is audited as a message's is.
type transfer struct {
	Conversation string `json:"conversation"`
	N            *int64 `json:"n,omitempty"`
	From         string `json:"from"`
	To           string `json:"to"`
	Amount       int64  `json:"amount"`
}

const payments = "pay"

// pay takes payments and transfers: each is stored in the active store before it
// is confirmed, and a number that is sent twice moves money once, because the
// store and every reader know it by its number.
//
//	POST /pay   201 once the transfer is stored
func pay(ctx context.Context, args []string, log *slog.Logger) error {
	return atDesk(ctx, "pay", args, log, opening{routes: func(_ context.Context, d *desk) error {
		d.mux.HandleFunc("POST /pay", d.transfer)
		return nil
	}})
}

func (d *desk) transfer(w http.ResponseWriter, r *http.Request) {
	t, err := readTransfer(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s, epoch, err := d.active()
	var data []byte
	if err == nil {
		data, err = json.Marshal(t)
	}
	if err == nil {
		id := message{Conversation: payments, N: t.N}.id()
		err = s.publish(r.Context(), "pay.transfers", data, id, epoch)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusCreated, t)
}

func readTransfer(r *http.Request) (transfer, error) {
	t := transfer{}
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 4096)).Decode(&t); err != nil {
		return t, errors.New(`pay: the body must be {"from": "name", "to": "name", "amount": 1}`)
	}
	if !conversationName.MatchString(t.From) || !conversationName.MatchString(t.To) || t.From == t.To || t.Amount <= 0 {
		return t, errors.New("pay: from and to must be two names, amount a number above 0")
	}
	t.Conversation = payments
	return t, nil
}
