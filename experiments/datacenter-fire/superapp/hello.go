package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// hello is the smallest service an experiment can be tried on: it keeps numbers
// in a file and syncs each before it answers. A number is stored once: who sends it
// again, because the answer was lost or late, is told that it is there.
//
//	GET  /          200
//	POST /messages  201 once it is synced; the body holds the number
//	GET  /ids       the numbers in stored order
func hello(ctx context.Context, args []string, log *slog.Logger) error {
	f := flag.NewFlagSet("hello", flag.ContinueOnError)
	listen := f.String("listen", ":8080", "address to listen on")
	dir := f.String("dir", "", "folder for the file")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return errors.New("open the book: give --dir")
	}
	b, err := openBook(*dir)
	if err != nil {
		return err
	}
	defer func() { _ = b.file.Close() }()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello\n") })
	mux.HandleFunc("POST /messages", b.post)
	mux.HandleFunc("GET /ids", b.list)
	return serve(ctx, *listen, mux, log)
}

// book is a file with one number a line, each ended by a full stop.
type book struct {
	path   string
	mu     sync.Mutex
	file   *os.File
	synced map[int64]bool // by number
}

func openBook(dir string) (*book, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open the book: %w", err)
	}
	path := filepath.Join(dir, "messages")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		_, err = f.WriteString("\n") // ends a line that a power cut tore
	}
	if err == nil {
		err = f.Sync() // also what a killed predecessor wrote and did not sync
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the book: %w", err)
	}
	b := &book{path: path, file: f, synced: map[int64]bool{}}
	ns, err := b.numbers()
	if err != nil {
		return nil, fmt.Errorf("read the book: %w", err)
	}
	for _, n := range ns {
		b.synced[n] = true
	}
	return b, nil
}

func (b *book) post(w http.ResponseWriter, r *http.Request) {
	m, err := readMessage(r.Body)
	if err == nil && m.N == nil {
		err = errors.New("read the message: it has no number")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := b.store(*m.N); err != nil {
		http.Error(w, "store the message: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// store returns once n is on disk.
func (b *book) store(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.synced[n] {
		return nil
	}
	if _, err := fmt.Fprintf(b.file, "%d.\n", n); err != nil {
		return err
	}
	if err := b.file.Sync(); err != nil {
		return err
	}
	b.synced[n] = true
	return nil
}

func (b *book) list(w http.ResponseWriter, _ *http.Request) {
	ns, err := b.numbers()
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusOK, ns)
}

// numbers reads the file; a line that a power cut tore is no message.
func (b *book) numbers() ([]int64, error) {
	f, err := os.Open(b.path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	ns, lines := []int64{}, bufio.NewScanner(f)
	for lines.Scan() {
		digits, whole := strings.CutSuffix(lines.Text(), ".")
		if n, err := strconv.ParseInt(digits, 10, 64); whole && err == nil {
			ns = append(ns, n)
		}
	}
	return ns, lines.Err()
}
