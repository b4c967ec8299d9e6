package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"time"
)

const (
	maxItem  = 64 << 10 // bytes
	rawBatch = 1000     // items that one page of GET /raw lists
)

var (
	itemKey    = regexp.MustCompile(`^[a-z0-9-]+(/[a-z0-9-]+)*$`)
	itemPrefix = regexp.MustCompile(`^[a-z0-9/-]*$`)

	errNoItem   = errors.New("read the item: there is none under this key")
	errDamaged  = errors.New("read the item: its checksum does not match")
	errConflict = errors.New("put the item: this version or a newer one is there with other content")
)

// item is one entry of a vault; lists leave the body out.
type item struct {
	Key     string `json:"key"`
	Version int64  `json:"version"`
	Sum     string `json:"sum"` // sha256 of the body
	At      int64  `json:"at"`  // when its first copy was stored, Unix ns; the order of lists
	Seq     int64  `json:"seq"` // rises with every write in this copy
	Body    []byte `json:"body,omitempty"`
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

func (i item) whole() bool { return sum(i.Body) == i.Sum }

// newer reports whether i takes the place of other; of two writers that gave
// one version, every copy has to prefer the same.
func (i item) newer(other item) bool {
	return i.Version > other.Version || i.Version == other.Version && i.Sum > other.Sum
}

// vaultDB is the file of one copy.
type vaultDB struct{ db *sql.DB }

const vaultSchema = `
CREATE TABLE IF NOT EXISTS items(seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
	version INTEGER NOT NULL, sum TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mark(id INTEGER PRIMARY KEY CHECK(id = 1), in_use INTEGER NOT NULL);`

func openVaultDB(dir string) (vaultDB, error) {
	db, err := openDatabase(dir, "vault", vaultSchema)
	return vaultDB{db}, err
}

// take marks the vault as in use and reports whether it was left so: then
// nobody closed it, and what it holds has to be checked.
func (v vaultDB) take(ctx context.Context) (left bool, err error) {
	err = within(ctx, v.db, func(tx *sql.Tx) error {
		err := tx.QueryRow(`SELECT in_use FROM mark`).Scan(&left)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = tx.Exec(`INSERT INTO mark VALUES(1, 1) ON CONFLICT(id) DO UPDATE SET in_use = 1`)
		return err
	})
	return left, err
}

// leave marks the vault as closed by its own end.
func (v vaultDB) leave() error {
	_, err := v.db.Exec(`UPDATE mark SET in_use = 0`)
	return err
}

// put stores an item durably unless it is there already. An older version or
// other content under the same version is errConflict.
func (v vaultDB) put(ctx context.Context, i item) error {
	if i.At == 0 {
		i.At = time.Now().UnixNano()
	}
	return within(ctx, v.db, func(tx *sql.Tx) error {
		var version int64
		var has string
		err := tx.QueryRow(`SELECT version, sum FROM items WHERE key = ?`, i.Key).Scan(&version, &has)
		switch {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return err
		case version == i.Version && has == i.Sum:
			return nil
		case version >= i.Version:
			return errConflict
		}
		return replace(tx, i)
	})
}

// replace stores what a peer has, whatever lies here under that key.
func (v vaultDB) replace(ctx context.Context, i item) error {
	return within(ctx, v.db, func(tx *sql.Tx) error { return replace(tx, i) })
}

func replace(tx *sql.Tx, i item) error {
	_, err := tx.Exec(`INSERT OR REPLACE INTO items(key, version, sum, at, body) VALUES(?, ?, ?, ?, ?)`,
		i.Key, i.Version, i.Sum, i.At, i.Body)
	return err
}

// get reads one item; one that is damaged is errDamaged.
func (v vaultDB) get(ctx context.Context, key string) (item, error) {
	i := item{Key: key}
	err := v.db.QueryRowContext(ctx, `SELECT version, sum, at, seq, body FROM items WHERE key = ?`, key).
		Scan(&i.Version, &i.Sum, &i.At, &i.Seq, &i.Body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return i, errNoItem
	case err != nil:
		return i, fmt.Errorf("read the item: %w", err)
	case !i.whole():
		return i, errDamaged
	}
	return i, nil
}

const listed = `SELECT key, version, sum, at, seq FROM items `

// list returns the items whose keys begin with prefix in stored order, at most
// the last newest ones; 0 means all.
func (v vaultDB) list(ctx context.Context, prefix string, last int) ([]item, error) {
	if last == 0 {
		last = -1
	}
	return v.read(ctx, `SELECT * FROM (`+listed+`WHERE key >= ? AND key < ? ORDER BY at DESC, key DESC LIMIT ?) ORDER BY at, key`,
		prefix, prefix+"~", last) // no key holds a tilde or anything above it
}

// since lists one page of the items written after seq, as they were written.
func (v vaultDB) since(ctx context.Context, seq int64) ([]item, error) {
	return v.read(ctx, listed+`WHERE seq > ? ORDER BY seq LIMIT ?`, seq, rawBatch)
}

func (v vaultDB) read(ctx context.Context, query string, args ...any) ([]item, error) {
	rows, err := v.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list the items: %w", err)
	}
	defer func() { _ = rows.Close() }()
	all := []item{}
	for rows.Next() {
		var i item
		if err := rows.Scan(&i.Key, &i.Version, &i.Sum, &i.At, &i.Seq); err != nil {
			return nil, fmt.Errorf("list the items: %w", err)
		}
		all = append(all, i)
	}
	return all, rows.Err()
}

// check verifies the file and the checksum of every item, and returns how many
// there are and the keys of those that are damaged.
func (v vaultDB) check(ctx context.Context) (n int, damaged []string, err error) {
	var file string
	if err := v.db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&file); err != nil || file != "ok" {
		return 0, nil, errors.Join(fmt.Errorf("check the vault: the file says %q", file), err)
	}
	rows, err := v.db.QueryContext(ctx, `SELECT key, sum, body FROM items ORDER BY seq`)
	if err != nil {
		return 0, nil, fmt.Errorf("check the vault: %w", err)
	}
	defer func() { _ = rows.Close() }()
	damaged = []string{}
	for ; rows.Next(); n++ {
		var i item
		if err := rows.Scan(&i.Key, &i.Sum, &i.Body); err != nil {
			return n, nil, fmt.Errorf("check the vault: %w", err)
		}
		if !i.whole() {
			damaged = append(damaged, i.Key)
		}
	}
	return n, damaged, rows.Err()
}
