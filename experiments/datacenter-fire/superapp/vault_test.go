package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
)

func putItem(t *testing.T, addr, key, version, body string) int {
	status, _ := ask(t, http.MethodPut, "http://"+addr+"/items/"+key, body, versionHeader, version)
	return status
}

type vaultState struct {
	Open   bool
	Reason string
	Items  int
}

func stateOf(t *testing.T, addr string) (s vaultState) {
	fetch(t, "http://"+addr+"/state", &s)
	return s
}

func silent() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestVaultVersions(t *testing.T) {
	a := address(t)
	play(t, vault, "--listen", a, "--data", t.TempDir())
	eventually(t, "open", func() bool { return stateOf(t, a).Open })
	for _, c := range []struct {
		key, version, body string
		want               int
	}{
		{"a/1", "2", "two", 201}, {"a/1", "2", "two", 201}, {"a/1", "2", "other", 409}, {"a/1", "1", "one", 409},
		{"a/1", "3", "three", 201}, {"a/2", "1", "", 201}, {"a/1", "0", "x", 400}, {"a/1", "", "x", 400},
		{"A", "1", "x", 400}, {"a/" + strings.Repeat("x", 128), "1", "x", 400}, {"b", "1", strings.Repeat("x", maxItem+1), 400},
		{"b", "1", strings.Repeat("x", maxItem), 201},
	} {
		if got := putItem(t, a, c.key, c.version, c.body); got != c.want {
			t.Errorf("put %.20s version %q: %d, want %d", c.key, c.version, got, c.want)
		}
	}
	var i item
	if !fetch(t, "http://"+a+"/items/a/1", &i) || string(i.Body) != "three" || i.Version != 3 || !i.whole() {
		t.Errorf("got %+v", i)
	}
	if s, _ := ask(t, "GET", "http://"+a+"/items/none", ""); s != 404 {
		t.Errorf("no item: %d", s)
	}
	var all []item
	if !fetch(t, "http://"+a+"/items?prefix=a/", &all) || len(all) != 2 || len(all[0].Body) != 0 {
		t.Errorf("list: %+v", all)
	}
	if !fetch(t, "http://"+a+"/items?last=1", &all) || len(all) != 1 || all[0].Key != "b" {
		t.Errorf("newest: %+v", all)
	}
	for _, q := range []string{"prefix=A", "last=x", "last=-1"} {
		if s, _ := ask(t, "GET", "http://"+a+"/items?"+q, ""); s != 400 {
			t.Errorf("list %s: %d", q, s)
		}
	}
}

// A killed vault is shut until it was checked; a closed one is open. The kill is the twin of the clean end.
func TestVaultKilledIsShut(t *testing.T) {
	for _, clean := range []bool{false, true} {
		a, dir := address(t), t.TempDir()
		p := program(t, a, "vault", "--data", dir)
		if got := putItem(t, a, "k", "1", "body"); got != 201 {
			t.Fatalf("put: %d", got)
		}
		if clean {
			_ = p.cmd.Process.Signal(os.Interrupt)
			_ = p.cmd.Wait()
		} else {
			p.kill()
		}
		program(t, a, "vault", "--data", dir)
		if s := stateOf(t, a); s.Open != clean || s.Items != 1 {
			t.Errorf("clean end %t: %+v", clean, s)
		}
		if clean {
			continue
		}
		if got, text := ask(t, "GET", "http://"+a+"/items/k", ""); got != 503 || !strings.Contains(text, unchecked) {
			t.Errorf("read while shut: %d %s", got, text)
		}
		if got := putItem(t, a, "l", "1", "body"); got != 503 {
			t.Errorf("write while shut: %d", got)
		}
		if err := check(context.Background(), []string{"--vault", a, "--insist", "5s"}, silent()); err != nil {
			t.Error(err)
		}
		var i item
		if !fetch(t, "http://"+a+"/items/k", &i) || string(i.Body) != "body" {
			t.Errorf("after the check: %+v", i)
		}
	}
}
