package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// superapp is the real program, built once: only a process can be killed.
var superapp = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "superapp")
	c := exec.Command("go", "build", "-o", path, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build superapp: %w\n%s", err, out)
	}
	return path, nil
})

// program starts a role as a process of its own and waits until it listens.
func program(t *testing.T, addr string, args ...string) *server {
	t.Helper()
	if _, err := superapp(); err != nil {
		t.Fatal(err)
	}
	s := start(t, "superapp", append(args, "--listen", addr)...)
	eventually(t, 5*time.Second, args[0]+" listens", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return s
}

// ask makes a request and returns the status and the body.
func ask(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

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

// damage flips a byte of an item behind the vault's back.
func damage(t *testing.T, dir, key string) {
	t.Helper()
	v, err := openVaultDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.db.Close()
	done, err := v.db.Exec(`UPDATE items SET body = CAST('X' || substr(CAST(body AS TEXT), 2) AS BLOB) WHERE key = ?`, key)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := done.RowsAffected(); n != 1 {
		t.Fatalf("damaged %d items", n)
	}
}

func TestVaultVersions(t *testing.T) {
	a := address(t)
	play(t, vault, "--listen", a, "--data", t.TempDir())
	eventually(t, 5*time.Second, "open", func() bool { return stateOf(t, a).Open })
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

// left makes a vault's folder look as a power cut leaves it.
func left(t *testing.T, keys ...string) string {
	t.Helper()
	dir := t.TempDir()
	v, err := openVaultDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer v.db.Close()
	if _, err := v.take(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := v.put(context.Background(), item{Key: k, Version: 1, Sum: sum([]byte("body of " + k)), Body: []byte("body of " + k)}); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDamagedItemKeepsVaultShut(t *testing.T) {
	a, dir := address(t), left(t, "a", "b", "c")
	damage(t, dir, "b")
	play(t, vault, "--listen", a, "--data", dir)
	eventually(t, 5*time.Second, "it answers", func() bool { return stateOf(t, a).Items == 3 })
	err := check(context.Background(), []string{"--vault", a}, silent())
	if err == nil || stateOf(t, a).Open {
		t.Errorf("opened with a damaged item: %v", err)
	}
	var f findings
	if err := call(context.Background(), time.Second, "POST", "http://"+a+"/check", nil, &f); err != nil || f.Items != 3 || len(f.Damaged) != 1 || f.Damaged[0] != "b" {
		t.Errorf("found %+v, %v", f, err)
	}
}

// Both copies were cut at once: each has an item the other lacks, and one is damaged here.
func TestPeersRepairEachOther(t *testing.T) {
	a, b := address(t), address(t)
	one, two := left(t, "both", "bad", "only-a"), left(t, "both", "bad", "only-b")
	damage(t, one, "bad")
	play(t, vault, "--listen", a, "--data", one, "--peer", b)
	eventually(t, 5*time.Second, "a answers", func() bool { return stateOf(t, a).Items == 3 })
	time.Sleep(2 * repairEvery)
	if stateOf(t, a).Open {
		t.Fatal("opened although no peer had answered")
	}
	play(t, vault, "--listen", b, "--data", two, "--peer", a)
	for _, addr := range []string{a, b} {
		eventually(t, 5*time.Second, addr+" opens by itself", func() bool { return stateOf(t, addr).Open })
	}
	for _, addr := range []string{a, b} {
		for _, k := range []string{"both", "bad", "only-a", "only-b"} {
			var i item
			if !fetch(t, "http://"+addr+"/items/"+k, &i) || string(i.Body) != "body of "+k {
				t.Errorf("%s has %+v", addr, i)
			}
		}
	}
}

// No peer has a good copy: the vault stays shut.
func TestNoGoodCopyStaysShut(t *testing.T) {
	a, b := address(t), address(t)
	one := left(t, "bad")
	damage(t, one, "bad")
	play(t, vault, "--listen", b, "--data", t.TempDir())
	play(t, vault, "--listen", a, "--data", one, "--peer", b)
	eventually(t, 5*time.Second, "a answers", func() bool { return stateOf(t, a).Items == 1 })
	time.Sleep(3 * repairEvery)
	if stateOf(t, a).Open {
		t.Error("opened without a good copy")
	}
}

// dark accepts connections and never answers.
func dark(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestShelfWithOneDarkCopy(t *testing.T) {
	a, b := address(t), address(t)
	for _, addr := range []string{a, b} {
		play(t, vault, "--listen", addr, "--data", t.TempDir())
		eventually(t, 5*time.Second, "open", func() bool { return stateOf(t, addr).Open })
	}
	s := shelf{vaults: []string{dark(t), a, b}}
	ctx := context.Background()
	begin := time.Now()
	for v := int64(1); v <= 3; v++ {
		if err := s.put(ctx, "k", v, []byte(fmt.Sprint(v))); err != nil {
			t.Fatal(err)
		}
		i, err := s.get(ctx, "k")
		if err != nil || i.Version != v {
			t.Fatalf("got %+v, %v", i, err)
		}
	}
	if _, err := s.get(ctx, "none"); err != errNoItem {
		t.Errorf("no item: %v", err)
	}
	if took := time.Since(begin); took > 700*time.Millisecond {
		t.Errorf("a dark copy slowed seven calls to %s", took)
	}
	// The twin: all three are wanted, and the dark one is missed in time.
	s.w, begin = 3, time.Now()
	if err := s.put(ctx, "k", 9, []byte("9")); err == nil {
		t.Error("three copies although one is dark")
	}
	if took := time.Since(begin); took > 700*time.Millisecond {
		t.Errorf("gave up after %s", took)
	}
	if s.w = 4; s.put(ctx, "k", 9, nil) == nil {
		t.Error("four copies of three")
	}
}
