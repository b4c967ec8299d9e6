package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDecide(t *testing.T) {
	a := active{Site: "pangyo", Epoch: 3, State: stateActive}
	sees := func(site string, up int, dark time.Duration) view {
		return view{Host: site + "1", Site: site, Store: "pangyo", Epoch: 3, Reachable: up, Servers: 3, Dark: dark}
	}
	fresh := mirrorState{name: "anyang", known: true, silence: time.Second}
	r := rule{after: 3 * time.Second, sites: 2, maxSilence: 5 * time.Second}
	loss := r
	loss.acceptLoss = true
	old := sees("gasan", 0, 9*time.Second)
	old.Epoch = 2
	tests := []struct {
		name   string
		views  []view
		mirror mirrorState
		rule   rule
		want   bool
		why    string // part of it; "" means nothing is said
	}{
		{"two sites", []view{sees("anyang", 1, 4*time.Second), sees("gasan", 0, 3*time.Second)}, fresh, r, true, ""},
		{"one site twice", []view{sees("pangyo", 1, 4*time.Second), sees("pangyo", 1, 4*time.Second)}, fresh, r, false, "seen from pangyo only"},
		{"a minority", []view{sees("anyang", 2, 0), sees("gasan", 2, 0)}, fresh, r, false, ""},
		{"too early", []view{sees("anyang", 0, 2*time.Second), sees("gasan", 0, 2*time.Second)}, fresh, r, false, ""},
		{"one is too early", []view{sees("anyang", 0, 4*time.Second), sees("gasan", 0, 2*time.Second)}, fresh, r, false, "seen from anyang only"},
		{"yesterday's view", []view{sees("anyang", 0, 4*time.Second), old}, fresh, r, false, "seen from anyang only"},
		{"no standby", []view{sees("anyang", 0, 4*time.Second), sees("gasan", 0, 4*time.Second)}, mirrorState{}, loss, false, "no standby"},
		{"silent mirror", []view{sees("anyang", 0, 4*time.Second), sees("gasan", 0, 4*time.Second)}, mirrorState{name: "anyang", known: true, silence: 6 * time.Second}, r, false, "for 6s"},
		{"unknown mirror", []view{sees("anyang", 0, 4*time.Second), sees("gasan", 0, 4*time.Second)}, mirrorState{name: "anyang"}, r, false, "not known"},
		{"loss accepted", []view{sees("anyang", 0, 4*time.Second), sees("gasan", 0, 4*time.Second)}, mirrorState{name: "anyang"}, loss, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, why := decide(a, tt.views, tt.mirror, tt.rule)
			if got != tt.want || (tt.why == "") != (why == "") || !strings.Contains(why, tt.why) {
				t.Errorf("decide: %v, %q; want %v, %q", got, why, tt.want, tt.why)
			}
		})
	}
	if got := standing(a, nil, mirrorState{name: "anyang", own: true}, r); !strings.Contains(got, "no standby") {
		t.Errorf("a standby with a history of its own: %q", got)
	}
	if got := standing(a, []view{sees("pangyo", 3, 0)}, fresh, r); !strings.Contains(got, "only in pangyo") {
		t.Errorf("witness: %q", got)
	}
	if got := standing(a, []view{sees("pangyo", 3, 0), sees("gasan", 3, 0)}, fresh, r); got != "" {
		t.Errorf("witness of two sites: %q", got)
	}
}

// An order outranks an older etcd, is dropped when etcd has caught up, and after
// a restart does not let the process serve before it has read etcd.
func TestCompass(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c, err := openCompass(ofCompany, dir, "s", log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.now(); err == nil {
		t.Error("served before it knew anything")
	}
	ordered := func(body order) int {
		w := httptest.NewRecorder()
		b := strings.NewReader(`{"of":"active","site":"` + body.Site + `","epoch":2,"signature":"` + body.Signature + `"}`)
		c.obey(w, httptest.NewRequest(http.MethodPost, "/override", b))
		return w.Code
	}
	if got := ordered(order{Of: ofCompany, Site: "anyang", Epoch: 2}.sign("other")); got != http.StatusForbidden {
		t.Errorf("foreign order: %d", got)
	}
	if got := ordered(order{Of: ofCompany, Site: "anyang", Epoch: 2}.sign("s")); got != http.StatusNoContent {
		t.Errorf("order: %d", got)
	}
	c.take(active{"pangyo", 1, stateActive})
	if a, err := c.now(); err != nil || a.Site != "anyang" {
		t.Errorf("old etcd: %v, %v", a, err)
	}
	again, err := openCompass(ofCompany, dir, "s", log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.now(); err == nil {
		t.Error("served after a restart without having read etcd")
	}
	again.take(active{"pangyo", 1, stateActive})
	if a, err := again.now(); err != nil || a.Site != "anyang" {
		t.Errorf("after a restart: %v, %v", a, err)
	}
	again.take(active{"anyang", 2, stateActive})
	if _, err := os.Stat(filepath.Join(dir, "order-active.json")); !os.IsNotExist(err) {
		t.Errorf("order stayed after etcd was corrected: %v", err)
	}
	if a, err := again.now(); err != nil || a.Epoch != 2 {
		t.Errorf("after the correction: %v, %v", a, err)
	}
}

// What is sent again, also after a restart, is acknowledged and stored once; what a
// power cut tore is stored anew.
func TestHello(t *testing.T) {
	dir, addr := t.TempDir(), address(t)
	if err := os.WriteFile(filepath.Join(dir, "messages"), []byte("5.\n1"), 0o644); err != nil {
		t.Fatal(err) // the last line was torn by a power cut
	}
	play(t, hello, "--listen", addr, "--dir", dir)
	eventually(t, "hello listens", func() bool { return send(addr, 6) == 201 })
	for _, n := range []int{6, 5, 1} {
		if got := send(addr, n); got != 201 {
			t.Errorf("sending %d: %d, want 201", n, got)
		}
	}
	var ns []int
	if !fetch(t, "http://"+addr+"/ids", &ns) || !slices.Equal(ns, []int{5, 6, 1}) {
		t.Errorf("read back %v, want 5, 6 and 1", ns)
	}
}

func TestRunRefusesUnknownRole(t *testing.T) {
	var out strings.Builder
	if code := run(context.Background(), []string{"mayor"}, &out); code != 64 || !strings.Contains(out.String(), "usage") {
		t.Errorf("exit %d, %q", code, out.String())
	}
}
