package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

const (
	deliverEvery = 200 * time.Millisecond
	deliverMax   = 2 * time.Second // back-off while the mailboxes do not answer
	deliverBatch = 100
)

// letter is one inbound mail. Its number is given by the sender's side and tells
// a repeat from a new one.
type letter struct {
	To   string `json:"to"`
	N    *int64 `json:"n,omitempty"`
	Text string `json:"text,omitempty"`

	id  int64  // in the queue
	key string // in the mailboxes
}

// mx takes inbound mail: it queues it on its own disk before it says yes, and
// brings it to the mailboxes when they are there. It bounces nothing.
//
//	POST /inbound     201 when it is queued
//	GET  /queue       how many wait
//	GET  /ids?user=   the numbers that wait for a user
func mx(ctx context.Context, args []string, log *slog.Logger) error {
	var s stand
	q := &queue{log: log}
	f := flag.NewFlagSet("mx", flag.ContinueOnError)
	s.bind(f)
	q.boxes.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	if _, _, err := q.boxes.quorum(); err != nil {
		return err
	}
	var err error
	q.db, err = openDatabase(s.data, "queue", `CREATE TABLE IF NOT EXISTS queue(id INTEGER PRIMARY KEY AUTOINCREMENT,
		key TEXT NOT NULL UNIQUE, user TEXT NOT NULL, n INTEGER, text TEXT NOT NULL);`)
	if err != nil {
		return err
	}
	defer func() { _ = q.db.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		q.deliver(ctx)
	}()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /inbound", q.take)
	mux.HandleFunc("GET /queue", q.length)
	mux.HandleFunc("GET /ids", q.waiting)
	err = serve(ctx, s.listen, mux, log)
	cancel()
	<-delivered
	return err
}

// queue is the mail that has not reached the mailboxes.
type queue struct {
	db    *sql.DB
	boxes shelf
	log   *slog.Logger
}

func (q *queue) take(w http.ResponseWriter, r *http.Request) {
	var l letter
	err := readBody(w, r, &l)
	if err == nil && (!conversationName.MatchString(l.To) || l.N != nil && *l.N < 0) {
		err = errors.New(`the body must be {"to": "name", "n": 1, "text": "…"}`)
	}
	if err != nil {
		refuse(w, fmt.Errorf("read the mail: %w", err))
		return
	}
	key := "mail/" + l.To + "/unnumbered-" + strings.ToLower(rand.Text())
	if l.N != nil {
		key = fmt.Sprintf("mail/%s/%d", l.To, *l.N)
	}
	_, err = q.db.ExecContext(r.Context(), `INSERT INTO queue(key, user, n, text) VALUES(?, ?, ?, ?) ON CONFLICT(key) DO NOTHING`,
		key, l.To, l.N, l.Text)
	if err != nil {
		missing(w, fmt.Errorf("queue the mail: %w", err))
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// deliver empties the queue until ctx ends, in the order in which it was filled.
func (q *queue) deliver(ctx context.Context) {
	for wait := deliverEvery; ; {
		n, err := q.deliverSome(ctx)
		switch {
		case err == nil:
			wait = deliverEvery
		case ctx.Err() == nil:
			if wait == deliverEvery {
				q.log.Info("mail waits", "delivered", n, "error", err)
			}
			wait = min(2*wait, deliverMax)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// deliverSome brings the oldest letters to the mailboxes and then takes from the
// queue those that are there. A letter brought twice is one: it has one key.
func (q *queue) deliverSome(ctx context.Context) (done int, err error) {
	batch, err := q.oldest(ctx)
	if err != nil {
		return 0, err
	}
	for _, l := range batch {
		err = q.boxes.put(ctx, l.key, 1, []byte(l.Text))
		if errors.Is(err, errConflict) {
			q.log.Info("another mail has this number: the first one stays", "key", l.key)
			err = nil
		}
		if err != nil {
			break
		}
		done++
	}
	if done > 0 {
		_, derr := q.db.ExecContext(ctx, `DELETE FROM queue WHERE id <= ?`, batch[done-1].id)
		err = errors.Join(err, derr)
	}
	return done, err
}

func (q *queue) oldest(ctx context.Context) ([]letter, error) {
	rows, err := q.db.QueryContext(ctx, `SELECT id, key, text FROM queue ORDER BY id LIMIT ?`, deliverBatch)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var batch []letter
	for rows.Next() {
		var l letter
		if err := rows.Scan(&l.id, &l.key, &l.Text); err != nil {
			return nil, err
		}
		batch = append(batch, l)
	}
	return batch, rows.Err()
}

func (q *queue) length(w http.ResponseWriter, r *http.Request) {
	n, err := column[int](r.Context(), q.db, `SELECT count(*) FROM queue`)
	if err != nil {
		missing(w, fmt.Errorf("count the queue: %w", err))
		return
	}
	answer(w, http.StatusOK, map[string]int{"queued": n[0]})
}

func (q *queue) waiting(w http.ResponseWriter, r *http.Request) {
	ns, err := column[int64](r.Context(), q.db, `SELECT n FROM queue WHERE user = ? AND n IS NOT NULL ORDER BY id`, r.URL.Query().Get("user"))
	if err != nil {
		missing(w, fmt.Errorf("list the queue: %w", err))
		return
	}
	answer(w, http.StatusOK, ns)
}
