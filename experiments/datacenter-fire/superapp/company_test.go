package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// two is a company with its active store and tools in one site and a mirror in another.
type two struct {
	pangyo, anyang *cluster
	etcd           *server
	url            string // of etcd
	flags          []string
	gateway        string // address
}

func raiseTwo(t *testing.T) *two {
	t.Helper()
	leafs := addresses(t, 3)
	c := &two{pangyo: raise(t, "pangyo", leafs, true), anyang: raise(t, "anyang", leafs, false), gateway: address(t)}
	c.etcd, c.url = tools(t)
	c.flags = []string{"--etcd", c.url, "--store", c.pangyo.flag, "--store", c.anyang.flag}
	play(t, setup, c.flags...)
	play(t, gateway, append(c.flags, "--listen", c.gateway, "--door", "s", "--data", t.TempDir())...)
	eventually(t, "a first message is stored", func() bool { return send(c.gateway, 0) == 201 })
	eventually(t, "the mirror has it", func() bool {
		var ns []int
		return fetch(t, "http://"+c.gateway+"/ids?site=anyang", &ns) && slices.Contains(ns, 0)
	})
	return c
}

// store sends the messages and waits until the mirror has them all.
func (c *two) store(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if got := send(c.gateway, n); got != 201 {
			t.Fatalf("message %d: status %d", n, got)
		}
	}
	eventually(t, "the mirror has all", func() bool {
		var ns []int
		return fetch(t, "http://"+c.gateway+"/ids?site=anyang", &ns) && len(ns) == to
	})
}

// Two controllers in two sites see the store go; one promotes, the epoch rises
// once, and what was acknowledged is in the mirror. Readers drop what is stored
// twice, as the store itself forgets ids in a promotion.
func TestPromotion(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	for _, at := range []string{"anyang", "gasan"} {
		play(t, controller, append(c.flags, "--name", at+"1", "--site", at, "--after", "1s")...)
	}
	c.store(t, 1, 50)
	time.Sleep(time.Second) // controllers hear the mirror
	c.pangyo.kill()
	eventually(t, "the mirror takes messages", func() bool { return send(c.gateway, 50) == 201 })

	var a active
	if !fetch(t, "http://"+c.gateway+"/active", &a) || a != (active{"anyang", 2, stateActive}) {
		t.Errorf("active: %+v, want anyang at epoch 2", a)
	}
	if got := send(c.gateway, 7); got != 201 {
		t.Errorf("sending message 7 again: %d", got)
	}
	var stored, read []int
	if !fetch(t, "http://"+c.gateway+"/ids", &stored) || !fetch(t, "http://"+c.gateway+"/messages", &read) {
		t.Fatal("read back: no answer")
	}
	if len(read) != 51 {
		t.Errorf("read %d different messages, want 51: %v", len(read), read)
	}
	if len(stored) <= len(read) {
		t.Logf("the store dropped the repeat itself: %d stored", len(stored))
	}
}

// One site alone never promotes, whatever it sees.
func TestOneSiteDoesNotPromote(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	for _, name := range []string{"p3", "p4"} {
		play(t, controller, append(c.flags, "--name", name, "--site", "pangyo", "--after", "500ms")...)
	}
	c.pangyo.kill()
	time.Sleep(4 * time.Second)
	var a active
	if !fetch(t, "http://"+c.gateway+"/active", &a) || a.Site != "pangyo" || a.Epoch != 1 {
		t.Errorf("active: %+v, want pangyo at epoch 1", a)
	}
}

// A mirror that was silent for longer than the policy accepts is not promoted,
// unless the policy accepts loss.
func TestSilentMirror(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	for _, at := range []string{"anyang", "gasan"} {
		play(t, controller, append(c.flags, "--name", at, "--site", at, "--after", "500ms", "--max-silence", "-1s")...)
	}
	time.Sleep(time.Second)
	c.pangyo.kill()
	time.Sleep(4 * time.Second)
	var a active
	if !fetch(t, "http://"+c.gateway+"/active", &a) || a.Site != "pangyo" {
		t.Fatalf("active: %+v, want pangyo", a)
	}
	play(t, controller, append(c.flags, "--name", "g2", "--site", "gasan", "--after", "500ms", "--accept-loss")...)
	eventually(t, "a controller that accepts loss promotes", func() bool { return send(c.gateway, 1) == 201 })
}

// The door needs neither etcd nor the failed store, refuses a wrong signature,
// and its order holds when etcd comes back with yesterday's truth.
func TestDoor(t *testing.T) {
	t.Parallel()
	c := raiseTwo(t)
	c.store(t, 1, 10)
	c.etcd.kill()
	c.pangyo.kill()
	r, err := http.Post("http://"+c.gateway+"/override", "application/json", strings.NewReader(`{"of":"active","site":"anyang","epoch":9,"signature":"00"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("a wrong signature: %d", r.StatusCode)
	}
	args := []string{"--store", c.anyang.flag, "--to", "anyang", "--doors", c.gateway, "--secret", "s"}
	for range 2 { // and it may be done again
		if err := promote(context.Background(), args, slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the mirror takes messages", func() bool { return send(c.gateway, 10) == 201 })
	var a active
	if !fetch(t, "http://"+c.gateway+"/active", &a) || a != (active{"anyang", 2, stateActive}) {
		t.Errorf("active: %+v, want anyang at epoch 2", a)
	}
	var ns []int
	if !fetch(t, "http://"+c.gateway+"/ids", &ns) || len(ns) != 11 {
		t.Errorf("read back %d messages, want 11", len(ns))
	}
}
