package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go alone
)

// stand is what a service with a database of its own is told: who it is, where
// it listens and where its files lie.
type stand struct{ name, site, listen, data string }

func (s *stand) bind(f *flag.FlagSet) {
	f.StringVar(&s.name, "name", "", "name of this host")
	f.StringVar(&s.site, "site", "", "site this host stands in")
	f.StringVar(&s.listen, "listen", "", "address to listen on")
	f.StringVar(&s.data, "data", "", "folder for the database, on this host's own disk")
}

// openDatabase opens the file name.db in folder dir and lays out what is missing.
// What a transaction wrote is on the disk when it returns (WAL, synchronous FULL).
// There is one connection: writers take turns anyway.
func openDatabase(dir, name, schema string) (*sql.DB, error) {
	if dir == "" {
		return nil, fmt.Errorf("open the %s: give --data", name)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the %s: %w", name, err)
	}
	q := url.Values{"_pragma": {"busy_timeout(3000)", "journal_mode(WAL)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.Join(dir, name+".db")}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the %s: %w", name, err)
	}
	db.SetMaxOpenConns(1)
	if _, err = db.Exec(schema); err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the %s: %w", name, err), db.Close())
	}
	return db, nil
}

// within runs do in one transaction, kept only when do returns nil.
func within(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// column reads the first column of a query.
func column[T any](ctx context.Context, db *sql.DB, query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	all := []T{}
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// readBody reads a small JSON body.
func readBody(w http.ResponseWriter, r *http.Request, into any) error {
	return json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(into)
}

// optional reads a number of the query that may be missing.
func optional(r *http.Request, name string) (int64, error) {
	s := r.URL.Query().Get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("read the query: %s must be a number from 0 on", name)
	}
	return n, nil
}

// tellAll answers a list, or that it could not be read.
func tellAll[T any](w http.ResponseWriter) func([]T, error) {
	return func(all []T, err error) {
		if err != nil {
			missing(w, err)
			return
		}
		answer(w, http.StatusOK, all)
	}
}

// refuse answers 400 to input that the service can't use.
func refuse(w http.ResponseWriter, err error) { http.Error(w, err.Error(), http.StatusBadRequest) }

// missing answers 503: something this service needs did not do its part.
func missing(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
