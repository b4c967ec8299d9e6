package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
)

// booking is what a public service notes for a user.
type booking struct {
	ID   int64  `json:"id"`
	User string `json:"user"`
	Kind string `json:"kind"` // vaccine or qr
}

// identity is a public service that knows its users through Kakao's login only.
//
//	POST /bookings        201 with the booking, after a login through Kakao
//	GET  /bookings?user=  the user's bookings
func identity(ctx context.Context, args []string, log *slog.Logger) error {
	var s stand
	o := &office{}
	f := flag.NewFlagSet("identity", flag.ContinueOnError)
	s.bind(f)
	o.kakao.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	o.db, err = openDatabase(s.data, "bookings", `CREATE TABLE IF NOT EXISTS bookings(id INTEGER PRIMARY KEY AUTOINCREMENT,
		user TEXT NOT NULL, kind TEXT NOT NULL); CREATE INDEX IF NOT EXISTS by_user ON bookings(user);`)
	if err != nil {
		return err
	}
	defer func() { _ = o.db.Close() }()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bookings", o.book)
	mux.HandleFunc("GET /bookings", o.list)
	return serve(ctx, s.listen, mux, log)
}

type office struct {
	kakao kakao
	db    *sql.DB
}

func (o *office) book(w http.ResponseWriter, r *http.Request) {
	var b booking
	if err := readBody(w, r, &b); err != nil || !conversationName.MatchString(b.User) || b.Kind != "vaccine" && b.Kind != "qr" {
		refuse(w, errors.New(`book: the body must be {"user": "name", "kind": "vaccine" or "qr"}`))
		return
	}
	err := o.kakao.login(r.Context(), b.User)
	if err == nil {
		b.ID, err = o.keep(r.Context(), b)
	}
	if err != nil {
		missing(w, fmt.Errorf("book: %w", err))
		return
	}
	answer(w, http.StatusCreated, b)
}

func (o *office) keep(ctx context.Context, b booking) (id int64, err error) {
	done, err := o.db.ExecContext(ctx, `INSERT INTO bookings(user, kind) VALUES(?, ?)`, b.User, b.Kind)
	if err != nil {
		return 0, err
	}
	return done.LastInsertId()
}

func (o *office) list(w http.ResponseWriter, r *http.Request) {
	all, err := o.of(r.Context(), r.URL.Query().Get("user"))
	if err != nil {
		missing(w, fmt.Errorf("list the bookings: %w", err))
		return
	}
	answer(w, http.StatusOK, all)
}

func (o *office) of(ctx context.Context, user string) ([]booking, error) {
	rows, err := o.db.QueryContext(ctx, `SELECT id, user, kind FROM bookings WHERE user = ? ORDER BY id`, user)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := []booking{}
	for rows.Next() {
		var b booking
		if err := rows.Scan(&b.ID, &b.User, &b.Kind); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, rows.Err()
}
