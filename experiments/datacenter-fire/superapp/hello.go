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
// in a file and syncs each before it answers.
//
//	GET  /          200
//	POST /messages  201 after fsync; the body holds the number
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
	path string
	mu   sync.Mutex
	file *os.File
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
		err = syncDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("open the book: %w", err)
	}
	return &book{path: path, file: f}, nil
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
	b.mu.Lock()
	_, err = fmt.Fprintf(b.file, "%d.\n", *m.N)
	if err == nil {
		err = b.file.Sync()
	}
	b.mu.Unlock()
	if err != nil {
		http.Error(w, "store the message: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// list reads the file; a line that a power cut tore is no message.
func (b *book) list(w http.ResponseWriter, _ *http.Request) {
	f, err := os.Open(b.path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = f.Close() }()
	ns := []int64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		digits, whole := strings.CutSuffix(lines.Text(), ".")
		if n, err := strconv.ParseInt(digits, 10, 64); whole && err == nil {
			ns = append(ns, n)
		}
	}
	answer(w, http.StatusOK, ns)
}
