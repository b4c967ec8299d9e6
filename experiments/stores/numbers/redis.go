package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// list keeps the numbers in a Redis list.
type list struct{ client *redis.Client }

const listKey = "numbers"

// newList connects with the first request. A write is tried once: a repeat could
// store it twice, and what must be counted is what the server said.
func newList(addr string) list {
	return list{redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true})}
}

func (l list) Ready(ctx context.Context) error { return l.client.Ping(ctx).Err() }

func (l list) Add(ctx context.Context, n int64) error {
	return l.client.RPush(ctx, listKey, n).Err()
}

func (l list) All(ctx context.Context) ([]int64, error) {
	texts, err := l.client.LRange(ctx, listKey, 0, -1).Result()
	if err != nil {
		return nil, err
	}
	ns := make([]int64, len(texts))
	for i, t := range texts {
		if ns[i], err = strconv.ParseInt(t, 10, 64); err != nil {
			return nil, fmt.Errorf("read list: %w", err)
		}
	}
	return ns, nil
}
