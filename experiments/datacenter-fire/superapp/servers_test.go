package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// binaries is the folder with the stock servers that TestMain built.
var binaries string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "superapp-servers-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binaries = dir
	for name, pkg := range map[string]string{"nats-server": "github.com/nats-io/nats-server/v2", "etcd": "go.etcd.io/etcd/server/v3"} {
		c := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, name), pkg)
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
			return 1
		}
	}
	return m.Run()
}

// server is one stock server on loopback.
type server struct {
	cmd *exec.Cmd
	log *bytes.Buffer
}

func start(t *testing.T, name string, args ...string) *server {
	t.Helper()
	s := &server{cmd: exec.Command(filepath.Join(binaries, name), args...), log: &bytes.Buffer{}}
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("%s %v:\n%s", name, args, tail(s.log.String(), 2000))
		}
	})
	return s
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }

func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// nets counts what addresses gave out.
var nets atomic.Uint32

// addresses are n free ones to listen on. They are on a loopback address of their own:
// once they are free again, no connection from 127.0.0.1 can take one of them as its
// own end before the server that they are for listens there.
func addresses(t *testing.T, n int) []string {
	t.Helper()
	pid := os.Getpid()
	ip := net.IPv4(127, byte(1+pid>>8%254), byte(pid), byte(nets.Add(1)))
	var out []string
	for range n {
		l, err := net.Listen("tcp", ip.String()+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().String())
	}
	return out
}

// cluster is one store of three stock NATS servers.
type cluster struct {
	name    string
	servers []*server
	flag    string // for --store
}

// raise starts a cluster; leafs are the addresses for leaf nodes it listens on or dials, none
// for a cluster without a domain of its own.
func raise(t *testing.T, name string, leafs []string, listens bool) *cluster {
	t.Helper()
	addrs := addresses(t, 6)
	c := &cluster{name: name}
	var routes, remotes, hosts []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("\"nats://%s\"", addrs[3+i]))
		for _, leaf := range leafs {
			remotes = append(remotes, fmt.Sprintf("\"nats-leaf://%s\"", leaf))
		}
		hosts = append(hosts, addrs[i])
	}
	for i := range 3 {
		leaf, domain := "", ""
		switch {
		case leafs == nil:
		case listens:
			leaf, domain = fmt.Sprintf("leafnodes { listen: %q }", leafs[i]), "domain: "+name+","
		default:
			leaf, domain = fmt.Sprintf("leafnodes { reconnect: 1, remotes: [ { urls: [%s] } ] }", strings.Join(remotes, ",")), "domain: "+name+","
		}
		conf := fmt.Sprintf(`
server_name: %s%d
listen: %q
ping_interval: "1s"
ping_max: 2
write_deadline: "2s"
jetstream { store_dir: %q, %s max_mem: 32M, max_file: 150M, sync_interval: always }
cluster { name: %s, listen: %q, routes: [%s], ping_interval: "1s", ping_max: 2 }
%s
`, name, i, addrs[i], t.TempDir(), domain, name, addrs[3+i], strings.Join(routes, ","), leaf)
		path := filepath.Join(t.TempDir(), "nats.conf")
		if err := os.WriteFile(path, []byte(conf), 0o644); err != nil {
			t.Fatal(err)
		}
		c.servers = append(c.servers, start(t, "nats-server", "-c", path))
	}
	c.flag = name + "=" + strings.Join(hosts, ",")
	return c
}

func (c *cluster) kill() {
	for _, s := range c.servers {
		s.kill()
	}
}

// tools starts one stock etcd and returns its client URL.
func tools(t *testing.T) (*server, string) {
	t.Helper()
	a := addresses(t, 2)
	client, peer := "http://"+a[0], "http://"+a[1]
	return start(t, "etcd", "--name", "e", "--data-dir", t.TempDir(), "--log-level", "warn",
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "e="+peer), client
}

// play runs a role in this process until the test ends.
func play(t *testing.T, r role, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r(ctx, args, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// address is a free one for a role to listen on.
func address(t *testing.T) string { return addresses(t, 1)[0] }

// settled is how long programs may take to listen, to elect, or to find each other
// again, on a busy machine: a mirror that could not reach its origin tries again
// after 10 s, then 20, and so on.
const settled = 90 * time.Second

// eventually fails the test when f has not become true in time.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(settled); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("not within %s: %s", settled, what)
}

// send posts message n and returns the status, 0 for none.
func send(addr string, n int) int {
	c := http.Client{Timeout: 2 * time.Second}
	r, err := c.Post("http://"+addr+"/messages", "application/json", strings.NewReader(fmt.Sprintf(`{"conversation":"talk","n":%d}`, n)))
	if err != nil {
		return 0
	}
	_ = r.Body.Close()
	return r.StatusCode
}

// fetch gets JSON; ok is false when the answer is no 200.
func fetch(t *testing.T, url string, into any) bool {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return false
	}
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return true
}
