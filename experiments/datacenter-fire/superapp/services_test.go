package main

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
)

func ids(t *testing.T, url string) (ns []int64) {
	if !fetch(t, url, &ns) {
		return nil
	}
	return ns
}

func counting(n int64) []int64 {
	ns := []int64{}
	for i := range n {
		ns = append(ns, i)
	}
	return ns
}

// Mail that arrives while the mailboxes are dark waits on the mx's disk, also
// across a kill, and is delivered once, in order.
func TestMailIsQueuedNotBounced(t *testing.T) {
	box, in, web, dir, data := address(t), address(t), address(t), t.TempDir(), t.TempDir()
	play(t, mail, "--listen", web, "--vault", box)
	p := program(t, in, "mx", "--data", dir, "--vault", box)
	inbound := func(n int64) {
		if got, text := ask(t, "POST", "http://"+in+"/inbound", fmt.Sprintf(`{"to":"minji","n":%d,"text":"hello"}`, n)); got != 201 {
			t.Errorf("mail %d: %d %s", n, got, text)
		}
	}
	for n := range int64(10) {
		inbound(n)
	}
	inbound(3) // again
	if got, _ := ask(t, "POST", "http://"+web+"/mail", `{"user":"minji"}`); got != 503 {
		t.Errorf("webmail without mailboxes: %d", got)
	}
	p.kill()
	program(t, in, "mx", "--data", dir, "--vault", box)
	if ns := ids(t, "http://"+in+"/ids?user=minji"); !slices.Equal(ns, counting(10)) {
		t.Errorf("queued after the kill: %v", ns)
	}
	play(t, vault, "--listen", box, "--data", data)
	eventually(t, "all is delivered", func() bool {
		var q map[string]int
		return fetch(t, "http://"+in+"/queue", &q) && q["queued"] == 0
	})
	inbound(3) // a repeat of what was delivered long ago
	inbound(10)
	eventually(t, "the mailbox has each once", func() bool {
		return slices.Equal(ids(t, "http://"+web+"/ids?user=minji"), counting(11))
	})
	if got, text := ask(t, "POST", "http://"+web+"/mail", `{"user":"minji"}`); got != 201 {
		t.Errorf("webmail: %d %s", got, text)
	}
	if ns := ids(t, "http://"+web+"/ids?user=minji"); !slices.Equal(ns, counting(11)) {
		t.Errorf("a mail to oneself counts: %v", ns)
	}
	for _, body := range []string{`{"to":"../x","n":1}`, `{"to":"minji","n":-1}`, `{`, ``} {
		if got, _ := ask(t, "POST", "http://"+in+"/inbound", body); got != 400 {
			t.Errorf("inbound %s: %d", body, got)
		}
	}
}

func TestMedia(t *testing.T) {
	v, m := address(t), address(t)
	play(t, media, "--listen", m, "--vault", v)
	eventually(t, "media says that its vault is missing", func() bool {
		got, _ := ask(t, "POST", "http://"+m+"/media", `{"name":"cat"}`)
		return got == 503
	})
	play(t, vault, "--listen", v, "--data", t.TempDir())
	eventually(t, "the vault is open", func() bool { return stateOf(t, v).Open })
	for _, c := range []struct {
		body string
		want int
	}{
		{`{"name":"cat"}`, 201}, {`{"name":"cat","n":2}`, 201}, {`1`, 201}, {`{"name":"cat","n":2}`, 201}, {"\x89PNG raw", 201},
		{`{"name":"Cat"}`, 400}, {`{"name":"cat","n":-1}`, 400}, {`{`, 400}, {``, 400},
	} {
		if got, text := ask(t, "POST", "http://"+m+"/media", c.body); got != c.want {
			t.Errorf("%s: %d %s", c.body, got, text)
		}
	}
	if ns := ids(t, "http://"+m+"/ids"); !slices.Equal(ns, []int64{2, 1}) {
		t.Errorf("numbers: %v", ns)
	}
	if got, body := ask(t, "GET", "http://"+m+"/media/cat/2", ""); got != 200 || len(body) != objectSize {
		t.Errorf("object: %d, %d bytes", got, len(body))
	}
	if got, _ := ask(t, "GET", "http://"+m+"/media/dog", ""); got != 404 {
		t.Errorf("no object: %d", got)
	}
}

func TestIdentityNeedsKakao(t *testing.T) {
	a := address(t)
	var shut atomic.Bool
	play(t, identity, "--listen", a, "--data", t.TempDir(), "--login", kakaoLogin(t, &shut))
	eventually(t, "a booking is made", func() bool {
		got, _ := ask(t, "POST", "http://"+a+"/bookings", `{"user":"minji","kind":"vaccine"}`)
		return got == 201
	})
	shut.Store(true)
	if got, _ := ask(t, "POST", "http://"+a+"/bookings", `{"user":"minji","kind":"qr"}`); got != 503 {
		t.Errorf("without Kakao: %d", got)
	}
	if got, _ := ask(t, "POST", "http://"+a+"/bookings", `{"user":"minji","kind":"taxi"}`); got != 400 {
		t.Errorf("an unknown kind: %d", got)
	}
	var all []booking
	if !fetch(t, "http://"+a+"/bookings?user=minji", &all) || len(all) != 1 || all[0] != (booking{1, "minji", "vaccine"}) {
		t.Errorf("bookings: %+v", all)
	}
}

// A broadcast needs the list of subscribers and the company's store.
func TestChannelNeedsListAndStore(t *testing.T) {
	c := raise(t, "pangyo", nil, false)
	_, url := tools(t)
	v, ch, gw := address(t), address(t), address(t)
	flags := []string{"--etcd", url, "--store", c.flag}
	play(t, setup, flags...)
	play(t, gateway, append(flags, "--listen", gw)...)
	play(t, channel, append(flags, "--listen", ch, "--vault", v)...)
	eventually(t, "a text message is stored", func() bool { return send(gw, 0) == 201 })
	broadcast := func(body string) int {
		got, _ := ask(t, "POST", "http://"+ch+"/broadcast", body)
		return got
	}
	if got := broadcast(`{"n":1}`); got != 503 {
		t.Errorf("without the list: %d", got)
	}
	play(t, vault, "--listen", v, "--data", t.TempDir())
	eventually(t, "the list is there and the broadcast goes out", func() bool { return broadcast(`{"n":1}`) == 201 })
	if got := broadcast(`{"channel":"none","n":1}`); got != 404 {
		t.Errorf("no such channel: %d", got)
	}
	if got := broadcast(`{"channel":"No"}`); got != 400 {
		t.Errorf("bad name: %d", got)
	}
	if ns := ids(t, "http://"+gw+"/ids?conversation=channel-news"); !slices.Equal(ns, []int64{1}) {
		t.Errorf("in the store: %v", ns)
	}
	c.kill()
	if got := broadcast(`{"n":2}`); got != 503 {
		t.Errorf("without the store: %d", got)
	}
}
