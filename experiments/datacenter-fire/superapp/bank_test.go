package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kakaoLogin stands for Kakao's login; it says no while shut is set.
func kakaoLogin(t *testing.T, shut *atomic.Bool) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var one session
		if readBody(w, r, &one) != nil || r.URL.Path != "/login" || shut.Load() {
			http.Error(w, "store: dark", http.StatusServiceUnavailable)
			return
		}
		one.Token = "token"
		answer(w, http.StatusCreated, one)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func totalOf(t *testing.T, addr string) (s total) {
	fetch(t, "http://"+addr+"/sum", &s)
	return s
}

func transferBody(from, to int, amount, n int) string {
	return fmt.Sprintf(`{"from":"acct-%d","to":"acct-%d","amount":%d,"n":%d}`, from, to, amount, n)
}

// balances reads a book as it lies on the disk.
func balances(t *testing.T, dir string) []string {
	t.Helper()
	a, err := openAccounts(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.db.Close()
	all, err := column[string](context.Background(), a.db, `SELECT name || ' ' || balance FROM accounts ORDER BY name`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever transfers come at both sites at once, some twice: the sum stays, no
// account goes below zero, each number is booked once and both books are equal.
func TestBankBooksStayEqual(t *testing.T) {
	b1, b2, d1, d2 := address(t), address(t), t.TempDir(), t.TempDir()
	play(t, bank, "--listen", b1, "--data", d1, "--peer", b2)
	play(t, bank, "--listen", b2, "--data", d2, "--peer", b1, "--second")
	eventually(t, "both sites take transfers", func() bool {
		one, _ := ask(t, "POST", "http://"+b1+"/transfers", transferBody(0, 1, 1, 1000))
		two, _ := ask(t, "POST", "http://"+b2+"/transfers", transferBody(0, 1, 1, 1001))
		return one == 201 && two == 201 && !totalOf(t, b1).Alone && !totalOf(t, b2).Alone
	})
	rnd := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	booked := map[int]bool{1000: true, 1001: true}
	refusals := 0
	var wg sync.WaitGroup
	for n := range 150 {
		from := rnd.IntN(4)
		body := transferBody(from, (from+1+rnd.IntN(3))%4, 1+rnd.IntN(90_000), n)
		at := []string{b1, b2}[rnd.IntN(2)]
		for range 1 + rnd.IntN(2) {
			wg.Go(func() {
				status, text := ask(t, "POST", "http://"+at+"/transfers", body)
				mu.Lock()
				defer mu.Unlock()
				switch status {
				case 201:
					booked[n] = true
				case 409:
					refusals++
				default:
					t.Errorf("transfer %d: %d %s", n, status, text)
				}
			})
		}
		if n%10 == 9 {
			wg.Wait()
		}
	}
	wg.Wait()
	if refusals == 0 {
		t.Error("no account was ever short: the test proves nothing")
	}
	eventually(t, "both books are equal", func() bool { return slices.Equal(balances(t, d1), balances(t, d2)) })
	for _, addr := range []string{b1, b2} {
		if s := totalOf(t, addr); s.Sum != reserveFirst || s.Accounts != 4 || s.Overdrawn != 0 {
			t.Errorf("%s: %+v", addr, s)
		}
		var ns []int64
		fetch(t, "http://"+addr+"/ids", &ns)
		if len(ns) != len(booked) || len(once(ns)) != len(ns) {
			t.Errorf("%s: %d numbers, %d different, %d acknowledged", addr, len(ns), len(once(ns)), len(booked))
		}
	}
}

// One site is cut; the other goes on alone, and after the return both have all.
func TestBankGoesOnAlone(t *testing.T) {
	b1, b2, d1, d2 := address(t), address(t), t.TempDir(), t.TempDir()
	first := program(t, b1, "bank", "--data", d1, "--peer", b2)
	program(t, b2, "bank", "--data", d2, "--peer", b1, "--second")
	post := func(n int) bool {
		s, _ := ask(t, "POST", "http://"+b2+"/transfers", transferBody(0, 1, 10, n))
		return s == 201
	}
	eventually(t, "a first transfer is in both books", func() bool {
		return post(0) && totalOf(t, b1).Accounts == 2
	})
	first.kill()
	begin := time.Now()
	for n := 1; n <= 20; n++ {
		if !post(n) {
			t.Fatalf("transfer %d was refused", n)
		}
	}
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("20 transfers alone took %s", took)
	}
	if slices.Equal(balances(t, d1), balances(t, d2)) {
		t.Error("the dark site's book has what it can't have")
	}
	program(t, b1, "bank", "--data", d1, "--peer", b2)
	eventually(t, "both books are equal", func() bool { return slices.Equal(balances(t, d1), balances(t, d2)) })
	var ns []int64
	if !fetch(t, "http://"+b1+"/ids", &ns) || len(ns) != 21 {
		t.Errorf("the first site has %d transfers", len(ns))
	}
}

func TestBankRefuses(t *testing.T) {
	a := address(t)
	var shut atomic.Bool
	play(t, bank, "--listen", a, "--data", t.TempDir(), "--login", "http://"+dark(t)+","+kakaoLogin(t, &shut))
	eventually(t, "it takes transfers", func() bool {
		s, _ := ask(t, "POST", "http://"+a+"/transfers", transferBody(0, 1, 1, 1))
		return s == 201
	})
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/transfers", transferBody(0, 1, 1, 1), 201}, // the same again
		{"/transfers", transferBody(0, 1, 2, 1), 409}, // another under its number
		{"/transfers", transferBody(0, 1, 99_999, 2), 201},
		{"/transfers", transferBody(0, 1, 1, 3), 409}, // nothing left
		{"/transfers", transferBody(0, 0, 1, 4), 400},
		{"/transfers", transferBody(0, 1, 0, 4), 400},
		{"/transfers", transferBody(0, 1, -5, 4), 400},
		{"/transfers", `{"from":"bank:opening","to":"acct-1","amount":1}`, 400},
		{"/transfers", `{"from":`, 400},
		{"/kakao/transfers", transferBody(1, 0, 1, 1), 201}, // numbers of its own
	} {
		if got, text := ask(t, "POST", "http://"+a+c.path, c.body); got != c.want {
			t.Errorf("%s %s: %d %s, want %d", c.path, c.body, got, text, c.want)
		}
	}
	shut.Store(true) // the twin: only what needs Kakao fails
	if got, text := ask(t, "POST", "http://"+a+"/kakao/transfers", transferBody(1, 0, 1, 2)); got != 503 {
		t.Errorf("without Kakao: %d %s", got, text)
	}
	if got, _ := ask(t, "POST", "http://"+a+"/transfers", transferBody(1, 0, 1, 5)); got != 201 {
		t.Errorf("what needs no Kakao: %d", got)
	}
	if s := totalOf(t, a); s.Sum != reserveFirst || s.Overdrawn != 0 {
		t.Errorf("%+v", s)
	}
}
