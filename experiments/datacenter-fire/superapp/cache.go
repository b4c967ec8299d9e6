package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	cachePort = "8085"
	cacheWait = 300 * time.Millisecond // of one replica; less than a client waits
)

// cache keeps sessions in memory: one replica of some shards of the login cache.
// What it forgets with its power, the store still has.
//
//	PUT /sessions/{user}   204
//	GET /sessions/{user}   200 with the session, 404 when it knows none
func cache(ctx context.Context, args []string, log *slog.Logger) error {
	f := flag.NewFlagSet("cache", flag.ContinueOnError)
	listen := f.String("listen", "", "address to listen on")
	if err := f.Parse(args); err != nil {
		return err
	}
	var mu sync.Mutex
	sessions := map[string][]byte{}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /sessions/{user}", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
		if err != nil || !conversationName.MatchString(r.PathValue("user")) {
			http.Error(w, "keep the session: the user must be a name, the session shorter than 4096 bytes", http.StatusBadRequest)
			return
		}
		mu.Lock()
		sessions[r.PathValue("user")] = b
		mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /sessions/{user}", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		b, ok := sessions[r.PathValue("user")]
		mu.Unlock()
		if !ok {
			http.Error(w, "read the session: not in this cache", http.StatusNotFound)
			return
		}
		_, _ = w.Write(b)
	})
	return serve(ctx, *listen, mux, log)
}

// cacheMaps are the shards of the login cache, by the site of the map that counts.
type cacheMaps map[string][]shard

// shard is the replicas that hold the sessions of some users: host:port.
type shard []string

func (m cacheMaps) String() string { return fmt.Sprint(map[string][]shard(m)) }

// Set reads site=host+host,host+host; a host without a port has the cache's own.
func (m cacheMaps) Set(v string) error {
	site, shards, ok := strings.Cut(v, "=")
	if !ok || site == "" || shards == "" {
		return errors.New("write it as site=host+host,host+host")
	}
	for _, replicas := range strings.Split(shards, ",") {
		var one shard
		for _, h := range strings.Split(replicas, "+") {
			if _, _, err := net.SplitHostPort(h); err != nil {
				h = net.JoinHostPort(h, cachePort)
			}
			one = append(one, h)
		}
		m[site] = append(m[site], one)
	}
	return nil
}

// shard is the one that holds a user's sessions in a site's map.
func (m cacheMaps) shard(site, user string) (shard, error) {
	all := m[site]
	if len(all) == 0 {
		return nil, fmt.Errorf("look up the user: no map of the cache for %q", site)
	}
	return all[shardOf(user, len(all))], nil
}

// shardOf spreads users evenly over the shards.
func shardOf(user string, shards int) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, user)
	return int(h.Sum32() % uint32(shards))
}

// look asks all replicas at once; the first that answers counts. No answer is an
// error: the user's other sessions are unknown, so nobody is let in.
func (s shard) look(ctx context.Context, user string) (known bool, err error) {
	err = s.first(ctx, http.MethodGet, user, nil)
	if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// put tells all replicas; one of them must have taken it.
func (s shard) put(ctx context.Context, one session) error {
	return s.first(ctx, http.MethodPut, one.User, one)
}

// first sends the request to every replica and returns the first answer's error.
func (s shard) first(ctx context.Context, method, user string, in any) error {
	answers := make(chan error, len(s))
	for _, host := range s {
		go func() {
			answers <- call(context.WithoutCancel(ctx), cacheWait, method, "http://"+host+"/sessions/"+user, in, nil)
		}()
	}
	for range s {
		err := <-answers
		if r := (*refused)(nil); err == nil || errors.As(err, &r) && r.status < 500 {
			return err
		}
	}
	return fmt.Errorf("ask the login cache: no replica of %s's shard answers (%s)", user, strings.Join(s, ", "))
}
