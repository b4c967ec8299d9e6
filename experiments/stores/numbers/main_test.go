package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// shelf is a store that says what the test tells it to.
type shelf struct {
	kept []int64
	err  error
}

func (s *shelf) Ready(context.Context) error { return s.err }

func (s *shelf) Add(_ context.Context, n int64) error {
	if s.err == nil {
		s.kept = append(s.kept, n)
	}
	return s.err
}

func (s *shelf) All(context.Context) ([]int64, error) { return s.kept, s.err }

// What the server did not say it stored is never acknowledged.
func TestDoor(t *testing.T) {
	down := errors.New("connection refused")
	for name, c := range map[string]struct {
		method, path, body string
		err                error
		code               int
		want               string
	}{
		"ready":          {"GET", "/", "", nil, 200, ""},
		"not ready":      {"GET", "/", "", down, 503, "connection refused\n"},
		"stored":         {"POST", "/numbers", "7", nil, 201, ""},
		"not stored":     {"POST", "/numbers", "7", down, 503, "connection refused\n"},
		"no number":      {"POST", "/numbers", "seven", nil, 400, ""},
		"in their order": {"GET", "/numbers", "", nil, 200, "[3,1]\n"},
		"not readable":   {"GET", "/numbers", "", down, 503, "connection refused\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{kept: []int64{3, 1}, err: c.err}
			w := httptest.NewRecorder()
			door(s).ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
			if w.Code != c.code || c.want != "" && w.Body.String() != c.want {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, c.code, c.want)
			}
			if stored := len(s.kept) == 3; stored != (w.Code == http.StatusCreated) {
				t.Errorf("stored: %v, answer %d", stored, w.Code)
			}
		})
	}
}

// An empty store has a list without numbers, not none.
func TestEmptyList(t *testing.T) {
	w := httptest.NewRecorder()
	door(&shelf{}).ServeHTTP(w, httptest.NewRequest("GET", "/numbers", nil))
	if w.Body.String() != "[]\n" {
		t.Errorf("got %q", w.Body)
	}
}

// One server, and not two.
func TestCommandLine(t *testing.T) {
	for _, args := range [][]string{{}, {"--redis", "a:1", "--postgres", "postgres://b"}, {"--postgres", "://"}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
