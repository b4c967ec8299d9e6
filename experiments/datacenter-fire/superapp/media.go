package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
)

const objectSize = 4 << 10

// picture is one object a client sends. A number makes it countable.
type picture struct {
	Name string `json:"name"`
	N    *int64 `json:"n,omitempty"`
}

func (p picture) key() string {
	if p.N == nil {
		return "media/" + p.Name
	}
	return fmt.Sprintf("media/%s/%d", p.Name, *p.N)
}

// readPicture accepts JSON, a bare number, or bytes, which are named after their checksum.
func readPicture(r io.Reader) (picture, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return picture{}, fmt.Errorf("read the object: %w", err)
	}
	b = bytes.TrimSpace(b)
	p := picture{Name: "media"}
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		p.N = &n
	} else if !bytes.HasPrefix(b, []byte("{")) {
		p.Name = sum(b)[:32]
	} else if err := json.Unmarshal(b, &p); err != nil {
		return p, fmt.Errorf("read the object: %w", err)
	}
	if len(b) == 0 || !conversationName.MatchString(p.Name) || p.N != nil && *p.N < 0 {
		return p, errors.New("read the object: it needs a name of lower-case letters, digits or dashes, and a number from 0 on if any")
	}
	return p, nil
}

// object is the content that stands for the picture: the same for the same one.
func (p picture) object() []byte {
	b := make([]byte, 0, objectSize)
	for block := sha256.Sum256([]byte(p.key())); len(b) < objectSize; block = sha256.Sum256(block[:]) {
		b = append(b, block[:]...)
	}
	return b
}

// media keeps objects of about 4 KiB. It reads each back before it answers, so
// that nothing is called stored that could not be shown.
//
//	POST /media          201 with the name and the checksum
//	GET  /media/{name}   the object; name/number for one with a number
//	GET  /ids            the numbers in stored order
func media(ctx context.Context, args []string, log *slog.Logger) error {
	var s stand
	var on shelf
	f := flag.NewFlagSet("media", flag.ContinueOnError)
	s.bind(f)
	on.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	if _, _, err := on.quorum(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /media", on.takePicture)
	mux.HandleFunc("GET /media/{name...}", on.showPicture)
	mux.HandleFunc("GET /ids", func(w http.ResponseWriter, r *http.Request) { on.tellNumbers(w, r, "media/") })
	return serve(ctx, s.listen, mux, log)
}

func (s *shelf) takePicture(w http.ResponseWriter, r *http.Request) {
	p, err := readPicture(http.MaxBytesReader(w, r.Body, maxItem))
	if err != nil {
		refuse(w, err)
		return
	}
	body := p.object()
	if err := s.putAndRead(r.Context(), p.key(), body); err != nil {
		missing(w, fmt.Errorf("store the object: %w", err))
		return
	}
	answer(w, http.StatusCreated, map[string]string{"name": strings.TrimPrefix(p.key(), "media/"), "sha256": sum(body)})
}

// putAndRead stores what is written once and compares what comes back.
func (s *shelf) putAndRead(ctx context.Context, key string, body []byte) error {
	if err := s.put(ctx, key, 1, body); err != nil {
		return err
	}
	back, err := s.get(ctx, key)
	if err != nil {
		return err
	}
	if back.Sum != sum(body) {
		return errors.New("something else came back")
	}
	return nil
}

func (s *shelf) showPicture(w http.ResponseWriter, r *http.Request) {
	key := "media/" + r.PathValue("name")
	if !validKey(key) {
		refuse(w, errors.New("read the object: no such name can be"))
		return
	}
	i, err := s.get(r.Context(), key)
	switch {
	case errors.Is(err, errNoItem):
		http.Error(w, "read the object: there is none", http.StatusNotFound)
	case err != nil:
		missing(w, fmt.Errorf("read the object: %w", err))
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(i.Body)
	}
}

// tellNumbers answers with the numbers under prefix; keys are kind/name/number.
func (s *shelf) tellNumbers(w http.ResponseWriter, r *http.Request, prefix string) {
	all, err := s.list(r.Context(), prefix, 0)
	if err != nil {
		missing(w, fmt.Errorf("list the numbers: %w", err))
		return
	}
	ns := []int64{}
	for _, i := range all {
		parts := strings.Split(i.Key, "/")
		if n, err := strconv.ParseInt(parts[len(parts)-1], 10, 64); err == nil && len(parts) == 3 {
			ns = append(ns, n)
		}
	}
	answer(w, http.StatusOK, ns)
}
