package broker

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// stockRole makes the test binary a broker as anybody runs one: default
// options, no keys, a process of its own.
const stockRole = "stock-nats-server"

// stockHost is where it listens. No connection from 127.0.0.1 can take its port as its
// own end while it is down.
const stockHost = "127.77.0.1"

func serveStock(port string) {
	n, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	s, err := server.NewServer(&server.Options{Host: stockHost, Port: n, NoLog: true})
	if err != nil {
		panic(err)
	}
	s.Start()
	s.WaitForShutdown()
}

func startStock(t *testing.T, port int) *proc.Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(proc.Spec{Path: exe, Args: []string{stockRole, strconv.Itoa(port)}, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func kill(t *testing.T, p *proc.Process) {
	t.Helper()
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", stockHost+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Agent and injector both dial out to a broker that is not ours. It dies
// without a word and comes back: commands work again, and the evidence of
// meanwhile arrives.
func TestStockBrokerDiesAndComesBack(t *testing.T) {
	keys, port := t.TempDir(), freePort(t)
	if err := EnsureCommandKey(keys); err != nil {
		t.Fatal(err)
	}
	key, err := control.ReadCommandKey(keys)
	if err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("nats://%s:%d", stockHost, port)
	spool, err := control.OpenSpool(filepath.Join(t.TempDir(), "spool"))
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	// The agent is there before any broker is.
	defer serve(t, control.AgentOptions{Name: "h1", URL: url, Keys: keys, StateDir: t.TempDir(), Spool: spool})()
	p := startStock(t, port)
	c := stockCaller(t, url, key)
	if _, err := call(t, c, "h1", control.VerbStatus); err != nil {
		t.Fatal(err)
	}
	kill(t, p)
	if err := spool.Append(evidence.Event{Message: "meanwhile"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	p = startStock(t, port)
	defer kill(t, p)
	if got := message(t, c); got != "meanwhile" {
		t.Errorf("evidence %q", got)
	}
	if _, err := call(t, c, "h1", control.VerbHalt); err != nil {
		t.Fatal(err)
	}
}

func stockCaller(t *testing.T, url string, key ed25519.PrivateKey) *control.Caller {
	t.Helper()
	nc, err := control.Dial(url, "injector", quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c, err := control.NewCaller(nc, key, "r1", "digest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
