// Command numbers is an HTTP door to a stock Redis or PostgreSQL, so that a
// ledger can write to it: a number is acknowledged when the server has said that
// it is stored, and not before.
//
//	numbers --listen ADDR --redis HOST:PORT
//	numbers --listen ADDR --postgres URL
//
//	GET  /         200 when the server answers
//	POST /numbers  the body is the number; 201 when it is stored
//	GET  /numbers  all of them in stored order
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// store is a server that keeps numbers. Its methods return when the server has
// answered or ctx has ended.
type store interface {
	Ready(ctx context.Context) error
	Add(ctx context.Context, n int64) error
	All(ctx context.Context) ([]int64, error)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "numbers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("numbers", flag.ContinueOnError)
	listen := f.String("listen", ":8080", "address to listen on")
	redisAt := f.String("redis", "", "host:port of the Redis to keep them in")
	postgresAt := f.String("postgres", "", "URL of the PostgreSQL to keep them in")
	if err := f.Parse(args); err != nil {
		return err
	}
	var s store
	switch {
	case *redisAt != "" && *postgresAt == "":
		s = newList(*redisAt)
	case *postgresAt != "" && *redisAt == "":
		table, err := newTable(ctx, *postgresAt)
		if err != nil {
			return err
		}
		s = table
	default:
		return errors.New("read command line: give --redis or --postgres, and not both")
	}
	return serve(ctx, *listen, door(s))
}

// patience is how long a request waits for the server behind.
const patience = 2 * time.Second

func door(s store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /numbers", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 64))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(body)), 10, 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.Add(r.Context(), n); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /numbers", func(w http.ResponseWriter, r *http.Request) {
		ns, err := s.All(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(append([]int64{}, ns...))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		mux.ServeHTTP(w, r.WithContext(ctx))
	})
}

// serve listens on addr until ctx ends.
func serve(ctx context.Context, addr string, h http.Handler) error {
	s := &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
