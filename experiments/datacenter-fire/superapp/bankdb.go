package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

const (
	reserve      = "bank:opening" // no customer can have this name
	reserveFirst = 1_000_000_000_000
	openingGift  = 100_000 // what a new account gets from the reserve
	maxAmount    = 1_000_000_000
)

var (
	errShort = errors.New("book the transfer: the account has not got so much")
	errOther = errors.New("book the transfer: another transfer has this number")
)

// transfer moves money between two accounts. Its id is the same in both books.
type transfer struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"` // "own", or "kakao" after a login there
	From   string `json:"from"`
	To     string `json:"to"`
	Amount int64  `json:"amount"`
	N      *int64 `json:"n,omitempty"`
}

func (t transfer) valid() bool {
	return conversationName.MatchString(t.From) && conversationName.MatchString(t.To) && t.From != t.To &&
		t.Amount > 0 && t.Amount <= maxAmount && (t.N == nil || *t.N >= 0)
}

// accounts is one book of the bank: the money of all accounts is the same sum for ever.
type accounts struct{ db *sql.DB }

func openAccounts(dir string) (accounts, error) {
	db, err := openDatabase(dir, "bank", fmt.Sprintf(`
CREATE TABLE IF NOT EXISTS accounts(name TEXT PRIMARY KEY, balance INTEGER NOT NULL);
INSERT OR IGNORE INTO accounts VALUES('%s', %d);
CREATE TABLE IF NOT EXISTS transfers(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
	giver TEXT NOT NULL, taker TEXT NOT NULL, amount INTEGER NOT NULL CHECK(amount > 0), n INTEGER);
CREATE TABLE IF NOT EXISTS outbox(id TEXT PRIMARY KEY REFERENCES transfers(id));`, reserve, reserveFirst))
	return accounts{db}, err
}

// book enters a transfer once: debit, credit and, when owed, that the peer still
// has to get it, all in one transaction. What the peer has already booked is
// booked here too, whatever it leaves on the account; otherwise the books would
// differ for ever.
func (a accounts) book(ctx context.Context, t transfer, fromPeer, owed bool) error {
	return within(ctx, a.db, func(tx *sql.Tx) error {
		var has transfer
		err := tx.QueryRow(`SELECT kind, giver, taker, amount FROM transfers WHERE id = ?`, t.ID).Scan(&has.Kind, &has.From, &has.To, &has.Amount)
		switch {
		case err == nil && has.Kind == t.Kind && has.From == t.From && has.To == t.To && has.Amount == t.Amount:
			return nil
		case err == nil:
			return errOther
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		for _, name := range []string{t.From, t.To} {
			if err := openAccount(tx, name); err != nil {
				return err
			}
		}
		if err := shift(tx, t, fromPeer); err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO transfers(id, kind, giver, taker, amount, n) VALUES(?, ?, ?, ?, ?, ?)`, t.ID, t.Kind, t.From, t.To, t.Amount, t.N)
		if err == nil && owed {
			_, err = tx.Exec(`INSERT INTO outbox VALUES(?)`, t.ID)
		}
		return err
	})
}

// openAccount gives a new account its first money.
func openAccount(tx *sql.Tx, name string) error {
	done, err := tx.Exec(`INSERT OR IGNORE INTO accounts VALUES(?, ?)`, name, openingGift)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return err
	}
	_, err = tx.Exec(`UPDATE accounts SET balance = balance - ? WHERE name = ?`, openingGift, reserve)
	return err
}

// shift moves the money, unless the giver has not got so much.
func shift(tx *sql.Tx, t transfer, anyway bool) error {
	done, err := tx.Exec(`UPDATE accounts SET balance = balance - ? WHERE name = ? AND (balance >= ? OR ?)`, t.Amount, t.From, t.Amount, anyway)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(errShort, err)
	}
	_, err = tx.Exec(`UPDATE accounts SET balance = balance + ? WHERE name = ?`, t.Amount, t.To)
	return err
}

// owed returns the oldest transfers that the peer has not confirmed.
func (a accounts) owed(ctx context.Context, limit int) ([]transfer, error) {
	rows, err := a.db.QueryContext(ctx, `SELECT id, kind, giver, taker, amount, n FROM transfers JOIN outbox USING(id) ORDER BY seq LIMIT ?`, limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []transfer
	for rows.Next() {
		var t transfer
		if err := rows.Scan(&t.ID, &t.Kind, &t.From, &t.To, &t.Amount, &t.N); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// confirmed strikes a transfer that the peer has.
func (a accounts) confirmed(ctx context.Context, id string) error {
	_, err := a.db.ExecContext(ctx, `DELETE FROM outbox WHERE id = ?`, id)
	return err
}

// total is the state of a book.
type total struct {
	Accounts  int   `json:"accounts"`
	Sum       int64 `json:"sum"`       // with the reserve; never changes
	Overdrawn int   `json:"overdrawn"` // accounts that both banks let draw while they could not talk
	Alone     bool  `json:"alone"`     // not in step with the peer
}

func (a accounts) total(ctx context.Context) (total, error) {
	var t total
	err := a.db.QueryRowContext(ctx, `SELECT count(*) - 1, sum(balance), sum(balance < 0) FROM accounts`).Scan(&t.Accounts, &t.Sum, &t.Overdrawn)
	return t, err
}
