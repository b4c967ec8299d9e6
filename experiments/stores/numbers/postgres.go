package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// table keeps the numbers in a PostgreSQL table, a transaction each.
type table struct{ pool *pgxpool.Pool }

const createTable = `CREATE TABLE IF NOT EXISTS numbers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint NOT NULL)`

// newTable connects with the first request.
func newTable(ctx context.Context, url string) (table, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return table{}, fmt.Errorf("read --postgres: %w", err)
	}
	return table{pool}, nil
}

// Ready makes the table: the server may have lost it, or may not have had it yet.
func (t table) Ready(ctx context.Context) error {
	_, err := t.pool.Exec(ctx, createTable)
	return err
}

func (t table) Add(ctx context.Context, n int64) error {
	_, err := t.pool.Exec(ctx, `INSERT INTO numbers (n) VALUES ($1)`, n)
	return err
}

func (t table) All(ctx context.Context) ([]int64, error) {
	rows, err := t.pool.Query(ctx, `SELECT n FROM numbers ORDER BY id`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
