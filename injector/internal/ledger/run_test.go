package ledger_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// store keeps the numbers posted to it and answers with the status answer gives.
func store(t *testing.T, answer func(n int) int) (string, func() []int) {
	t.Helper()
	var mu sync.Mutex
	var kept []int
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n, _ := strconv.Atoi(string(body))
		code := answer(n)
		if code == 201 || code == 500 { // 500: stored, but the answer got lost
			mu.Lock()
			kept = append(kept, n)
			mu.Unlock()
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []int { mu.Lock(); defer mu.Unlock(); return kept }
}

func run(t *testing.T, urls []string, attempts int) []ledger.Write {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var mu sync.Mutex
	var done []ledger.Write
	spec := ledger.Spec{Name: "talk", Every: 10 * time.Millisecond, Timeout: 200 * time.Millisecond, Attempts: attempts, HTTP: probe.Request{Method: "POST", URLs: urls, Body: "${n}", Expect: 201}}
	ledger.Run(ctx, spec, func() int64 { return time.Now().UnixNano() }, func(w ledger.Write) {
		mu.Lock()
		defer mu.Unlock()
		done = append(done, w)
	})
	if len(done) < 10 {
		t.Fatalf("%d writes in 300 ms at 100 a second", len(done))
	}
	return done
}

func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

func TestRunStates(t *testing.T) {
	always := func(code int) func(int) int { return func(int) int { return code } }
	created, _ := store(t, always(201))
	broken, _ := store(t, always(500))
	forbidden, _ := store(t, always(403))
	for name, c := range map[string]struct {
		urls     []string
		attempts int
		want     ledger.State
	}{
		"acknowledged":                   {[]string{created}, 1, ledger.Acknowledged},
		"never sent":                     {[]string{closed(t)}, 2, ledger.Refused},
		"turned down":                    {[]string{forbidden}, 2, ledger.Refused},
		"server error":                   {[]string{broken}, 2, ledger.Unknown},
		"next URL":                       {[]string{closed(t), created}, 2, ledger.Acknowledged},
		"error first, then acknowledged": {[]string{broken, created}, 2, ledger.Acknowledged},
		"error first, then never sent":   {[]string{broken, closed(t)}, 2, ledger.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			for _, w := range run(t, c.urls, c.attempts) {
				if w.State != c.want {
					t.Errorf("write %d is %s after %d attempts, want %s", w.N, w.State, w.Attempts, c.want)
				}
			}
		})
	}
}

// Over real requests: whatever the store answers, what it acknowledged it has,
// and the audit finds exactly what it kept. With acknowledgements that are lies
// (the twin) the audit must see the loss.
func TestAuditOfARealStore(t *testing.T) {
	moody := func(n int) int { return []int{201, 500, 403, 201}[n%4] }
	url, kept := store(t, moody)
	done := run(t, []string{url}, 1)
	honest := ledger.NewAudit("talk", done, ledger.Copy{Numbers: kept()}, nil)
	if honest.Lost != 0 || honest.Kept != honest.Acknowledged || honest.UnknownKept != honest.Unknown || honest.RefusedKept != 0 {
		t.Errorf("honest store: %+v", honest)
	}
	forgetful := ledger.NewAudit("talk", done, ledger.Copy{Numbers: kept()[:2]}, nil)
	if forgetful.Lost == 0 {
		t.Errorf("a store that forgot all but two numbers was not found out: %+v", forgetful)
	}
}
