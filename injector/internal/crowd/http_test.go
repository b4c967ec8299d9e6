package crowd_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Against a real server: numbers are unique, usual people keep their
// connections, the herd makes a new one for each request, and all of it is told.
func TestRealRequests(t *testing.T) {
	var mu sync.Mutex
	numbers, connections := map[string]int{}, map[string]int{}
	var down atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		numbers[string(body)]++
		connections[r.RemoteAddr]++
		mu.Unlock()
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	request := probe.Request{Method: "POST", URLs: []string{server.URL}, Body: "${n}", Expect: 200}
	spec := crowd.Spec{Name: "users", Home: request, Users: 5, Every: 50 * time.Millisecond, Timeout: time.Second,
		Retry:  crowd.Retry{First: 20 * time.Millisecond, Factor: 2, Max: 40 * time.Millisecond},
		Surges: []crowd.Surge{{From: 600 * time.Millisecond, For: 200 * time.Millisecond, Extra: 20}}}
	clock := func() int64 { return time.Now().UnixNano() }
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	defer cancel()
	start := make(chan int64, 1)
	start <- clock()
	var regular int
	time.AfterFunc(500*time.Millisecond, func() { mu.Lock(); regular = len(connections); mu.Unlock() })
	time.AfterFunc(time.Second, func() { down.Store(true) })
	requests, answered := 0, 0
	crowd.Run(ctx, spec, clock, start, func(s crowd.Second) { requests, answered = requests+s.Requests, answered+s.Answered })
	mu.Lock()
	defer mu.Unlock()
	if regular != 5 {
		t.Errorf("5 people used %d connections", regular)
	}
	if herd := len(connections) - regular; herd <= 20 {
		t.Errorf("a herd of 20 that asks four times made %d connections", herd)
	}
	if len(numbers) != requests || answered >= requests || answered == 0 {
		t.Errorf("%d numbers, %d requests, %d answered", len(numbers), requests, answered)
	}
}
