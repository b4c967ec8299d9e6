package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// notebook keeps what a controller found out and could not act on: a line that
// starts with "finding:" in its log and a record on the host's own disk. The
// same finding is written once in a row.
type notebook struct {
	path string // "" keeps no record
	log  io.Writer
	last string
}

// finding is one record.
type finding struct {
	At   time.Time `json:"at"`
	Host string    `json:"host"`
	What string    `json:"what"`
}

func openNotebook(data string, log io.Writer) (*notebook, error) {
	n := &notebook{log: log}
	if data == "" {
		return n, nil
	}
	n.path = filepath.Join(data, "findings.jsonl")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("open the notebook: %w", err)
	}
	return n, nil
}

// write notes what was found; it returns an error when the record did not reach the disk.
func (n *notebook) write(host, what string) error {
	if what == n.last {
		return nil
	}
	n.last = what
	_, _ = fmt.Fprintf(n.log, "finding: %s: %s\n", host, what)
	if n.path == "" {
		return nil
	}
	b, err := json.Marshal(finding{At: time.Now(), Host: host, What: what})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(n.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
