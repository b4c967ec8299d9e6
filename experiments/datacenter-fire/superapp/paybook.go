package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const bookEvery = 500 * time.Millisecond

// follow enters into the book what the active store holds, until ctx ends. When
// another store becomes the active one it begins anew: the book knows what it has.
func (t *till) follow(ctx context.Context) {
	at, next := "", uint64(1)
	for ctx.Err() == nil {
		if s, _, err := t.active(); err == nil {
			if s.name != at {
				at, next = s.name, 1
			}
			if next, err = t.enter(ctx, s, next); err != nil && ctx.Err() == nil {
				t.log.Debug("the book is behind", "store", s.name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(bookEvery):
		}
	}
}

// enter books the payments from sequence next on, and returns the one after the last.
func (t *till) enter(ctx context.Context, s *store, next uint64) (uint64, error) {
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return next, err
	}
	for {
		tctx, cancel := context.WithTimeout(ctx, toolWait)
		m, err := st.GetMsg(tctx, next, jetstream.WithGetMsgSubject("*."+payments+".transfers"))
		cancel()
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return next, nil
		}
		if err == nil {
			err = t.note(ctx, m)
		}
		if err != nil {
			return next, err
		}
		next = m.Sequence + 1
	}
}

// note books one payment, whatever it leaves on the account: the store has it.
func (t *till) note(ctx context.Context, m *jetstream.RawStreamMsg) error {
	var p payment
	if err := json.Unmarshal(m.Data, &p); err != nil {
		t.log.Error("read a payment", "sequence", m.Sequence, "error", err)
		return nil // it would keep all later ones out of the book
	}
	id := message{Conversation: payments, N: p.N}.id()
	if id == "" { // a mirror keeps subjects and sequences
		id = fmt.Sprintf("%s/%d", m.Subject, m.Sequence)
	}
	return t.book.book(ctx, transfer{ID: id, Kind: payments, From: p.From, To: p.To, Amount: p.Amount, N: p.N}, true, false)
}

// affords says whether an account has so much; one that is not open yet has its
// first money.
func (a accounts) affords(ctx context.Context, name string, amount int64) (bool, error) {
	has, err := column[int64](ctx, a.db, `SELECT balance FROM accounts WHERE name = ?`, name)
	if err != nil {
		return false, fmt.Errorf("read the account: %w", err)
	}
	if len(has) == 0 {
		has = []int64{openingGift}
	}
	return has[0] >= amount, nil
}
