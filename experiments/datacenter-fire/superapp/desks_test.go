package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// one is a company with a single store.
func raiseOne(t *testing.T) []string {
	t.Helper()
	kr := raise(t, "kr", nil, false)
	_, url := tools(t)
	flags := []string{"--etcd", url, "--store", kr.flag, "--door", "s"}
	play(t, setup, flags[:4]...)
	return flags
}

func status(t *testing.T, url, body string) int {
	t.Helper()
	c := http.Client{Timeout: 3 * time.Second}
	r, err := c.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return 0
	}
	_ = r.Body.Close()
	return r.StatusCode
}

// A user whose shard of the cache is dark cannot log in until another map counts;
// a user of another shard can all the time.
func TestLoginNeedsItsShard(t *testing.T) {
	t.Parallel()
	flags := raiseOne(t)
	dark, lit, door := address(t), address(t), address(t)
	gone := program(t, dark, "cache")
	program(t, lit, "cache")
	maps := make([]string, 10)
	for i := range maps {
		maps[i] = lit
	}
	maps[shardOf("minji", 10)] = dark
	play(t, login, append(flags, "--listen", door, "--data", t.TempDir(),
		"--cache", "kr="+strings.Join(maps, ","), "--cache", "spare="+lit)...)
	enters := func(user string) bool { return status(t, "http://"+door+"/login", `{"user":"`+user+`"}`) == 201 }
	eventually(t, "minji logs in", func() bool { return enters("minji") })
	gone.kill()
	if enters("minji") {
		t.Error("logged in without the shard of the cache")
	}
	if !enters("jihoon") {
		t.Error("a user of another shard was kept out")
	}
	order := []string{"--of", "cache", "--to", "spare", "--doors", door, "--secret", "s"}
	if err := move(context.Background(), order, slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
		t.Fatal(err)
	}
	if !enters("minji") {
		t.Error("not logged in with the spare map")
	}
	if err := move(context.Background(), order[:6], slog.New(slog.NewTextHandler(io.Discard, nil))); err == nil {
		t.Error("an order without a signature was no error")
	}
}

// Whoever calls at once, no driver is sent to two people in one breath: each call
// that is confirmed is the next one under its driver's subject.
func TestTaxiTakesADriverOnce(t *testing.T) {
	t.Parallel()
	flags := raiseOne(t)
	desk := address(t)
	play(t, taxi, append(flags, "--listen", desk)...)
	url, body := "http://"+desk+"/calls", `{"from":"Gangnam station"}`
	eventually(t, "a first taxi comes", func() bool { return status(t, url, body) == 201 })
	var confirmed atomic.Int64
	confirmed.Store(1)
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if status(t, url, body) == 201 {
				confirmed.Add(1)
			}
		})
	}
	wg.Wait()
	var sites sites
	_ = sites.Set(flags[3])
	s, err := openStore(sites[0], slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.nc.Close()
	msgs, err := s.all(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored := int64(0)
	for _, m := range msgs {
		if m != nil && strings.Contains(m.Subject, ".taxi.driver.") {
			stored++
		}
	}
	if stored < confirmed.Load() || confirmed.Load() < 64 {
		t.Errorf("%d rides stored, %d confirmed of 201, at least 64 wanted: there are so many drivers", stored, confirmed.Load())
	}
	if got := status(t, url, `{}`); got != 400 {
		t.Errorf("a call from nowhere: %d", got)
	}
}

// A number moves money once, however often it is sent; nobody pays what he has
// not got; the books of both desks come to say the same.
func TestPaymentsMoveMoneyOnce(t *testing.T) {
	t.Parallel()
	flags := raiseOne(t)
	desks := []string{address(t), address(t)}
	for _, d := range desks {
		play(t, pay, append(flags, "--listen", d, "--data", t.TempDir())...)
	}
	send := func(n, amount int) int {
		return status(t, "http://"+desks[n%2]+"/pay", fmt.Sprintf(`{"from":"minji","to":"jihoon","amount":%d,"n":%d}`, amount, n/2))
	}
	eventually(t, "a first payment at each desk", func() bool { return send(0, 1) == 201 && send(1, 1) == 201 })
	for n := 1; n < 40; n++ { // each number twice, once at each desk
		if got := send(n, 1); got != 201 {
			t.Fatalf("payment %d: %d", n, got)
		}
	}
	if got := status(t, "http://"+desks[0]+"/pay", `{"from":"minji","to":"jihoon","amount":900000000}`); got != 409 {
		t.Errorf("more than the account has: %d", got)
	}
	if got := status(t, "http://"+desks[0]+"/pay", `{"from":"minji","to":"minji","amount":1}`); got != 400 {
		t.Errorf("to oneself: %d", got)
	}
	eventually(t, "both books are complete", func() bool {
		var a, b total
		return fetch(t, "http://"+desks[0]+"/sum", &a) && fetch(t, "http://"+desks[1]+"/sum", &b) && a == b && a.Accounts == 2
	})
}

func TestCacheMapsRefuse(t *testing.T) {
	for _, v := range []string{"", "kr", "kr=", "=a+b"} {
		if err := (cacheMaps{}).Set(v); err == nil {
			t.Errorf("--cache %q was taken", v)
		}
	}
	if _, err := (cacheMaps{}).shard("nowhere", "minji"); err == nil {
		t.Error("a site without a map had a shard")
	}
	var of topic
	if err := of.Set("moon"); err == nil {
		t.Error("a topic that there is not was taken")
	}
}

// The herd is turned away at once, those inside get through.
func TestAdmitTurnsTheHerdAway(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	h := admit(1, func(w http.ResponseWriter, _ *http.Request) { inside <- true; <-leave; w.WriteHeader(201) })
	first := make(chan int)
	go func() { first <- code(h) }()
	<-inside
	if got := code(h); got != http.StatusServiceUnavailable {
		t.Errorf("the second: %d", got)
	}
	leave <- true
	if got := <-first; got != 201 {
		t.Errorf("the first: %d", got)
	}
}

func code(h http.HandlerFunc) int {
	w := httptest.NewRecorder()
	h(w, httptest.NewRequest(http.MethodPost, "/", nil))
	return w.Code
}
