package main

import (
	"net/http"
	"strings"
	"testing"
)

// The store's leader goes; the others elect one, nothing that was acknowledged
// is missing, and nobody promotes anything. Login lives in the same store.
func TestLeaderGoes(t *testing.T) {
	t.Parallel()
	kr := raise(t, "kr", nil, false)
	_, url := tools(t)
	flags := []string{"--etcd", url, "--store", kr.flag}
	text, door := address(t), address(t)
	play(t, setup, append(flags, "--leader", "kr0")...)
	play(t, gateway, append(flags, "--listen", text)...)
	play(t, login, append(flags, "--listen", door)...)
	for _, at := range []string{"anyang", "gasan"} {
		play(t, controller, append(flags, "--name", at, "--site", at, "--after", "500ms")...)
	}
	eventually(t, "a first message is stored", func() bool { return send(text, 0) == 201 })
	acknowledged := map[int]bool{0: true}
	for n := 1; n < 50; n++ {
		acknowledged[n] = send(text, n) == 201
	}
	kr.servers[0].kill()
	eventually(t, "the others take messages", func() bool { return send(text, 50) == 201 })
	eventually(t, "people log in", func() bool {
		r, err := http.Post("http://"+door+"/login", "application/json", strings.NewReader(`{"user":"minji"}`))
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusCreated
	})
	var ns []int
	if !fetch(t, "http://"+text+"/messages?site=pangyo", &ns) { // one store lies on every site's disks
		t.Fatal("read back: no answer")
	}
	for _, n := range ns {
		delete(acknowledged, n)
	}
	for n, yes := range acknowledged {
		if yes {
			t.Errorf("message %d was acknowledged and is missing", n)
		}
	}
	var a active
	if !fetch(t, "http://"+text+"/active", &a) || a != (active{"kr", 1, stateActive}) {
		t.Errorf("active: %+v, want kr at epoch 1", a)
	}
}
