package runner

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/clients"
	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/need"
)

// The test binary is the clients process and the service of its labs too.
func TestMain(m *testing.M) {
	lab.Main()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "clients":
			serveClients()
			return
		case "web":
			_ = http.ListenAndServe(os.Args[2], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			os.Exit(1)
		}
	}
	os.Exit(digesttest.Run(m))
}

func serveClients() {
	conn, err := net.FileConn(os.NewFile(3, "runner"))
	if err != nil {
		os.Exit(1)
	}
	if clients.Serve(context.Background(), conn, bootTime, slog.New(slog.DiscardHandler)) != nil {
		os.Exit(1)
	}
}

// output is what a run prints; a test may wait for a part of it.
type output struct {
	t    *testing.T
	want string
	seen func() // called once when want was printed

	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text.Write(b)
	if o.seen != nil && strings.Contains(o.text.String(), o.want) {
		o.seen()
		o.seen = nil
	}
	return len(b), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

const labFile = `inventory: small
sites: [{name: one, racks: [{name: r1}]}, {name: internet, racks: [{name: street}]}]
power: [{name: grid, kind: utility, site: one}, {name: pole, kind: utility, site: internet}]
hosts:
  - {name: h1, site: one, rack: r1, feeds: [grid]}
  - {name: h2, site: one, rack: r1, feeds: [grid]}
  - {name: clients, site: internet, rack: street, feeds: [pole]}
services:
  - {name: web, exec: web, args: [web, "${ip}:8080"], serves: [page], hosts: {hosts: [h1, h2]}}
runbook:
  - {step: look, host: h2, exec: web, args: [--help]}
`

const experimentFile = `experiment: small
title: One host of two without power
clock: {start: "2022-10-15T15:19:00+09:00", pace: [{to: T+1m, takes: 2s}, {to: T+20m, takes: 5s}, {to: T+30m, takes: 3s}]}
seed: 1
layouts: {small: {lab: lab.yaml, predict: {verdict: held}}}
hypothesis:
  - {probe: page, http: {get: ["URL"], expect: 200}, every: 50ms, tolerance: {availability: 95%, over: 1s}}
load:
  - load: users
    http: {get: "http://h1:8080/", expect: 200}
    users: 5
    every: 200ms
    timeout: 300ms
    retry: {first: 100ms, max: 200ms}
    surges: [{at: T+22m, for: 1s, times: 4, source: all at once}]
    rival: {http: {get: "http://h2:8080/?n=${n}", expect: 200}, after: 1s, look: 500ms}
stages:
  - {stage: dark, at: T+1m, faults: [{powerloss: {}, on: {hosts: h1}, until: T+20m}]}
expect:
  - {probe: page, own: {max: 20s}}
`

// options writes an experiment whose probe asks url, and returns how to run it.
func options(t *testing.T, url string, out *output) Options {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs, need.Tools)
	dir := t.TempDir()
	for name, text := range map[string]string{"lab.yaml": labFile, "experiment.yaml": strings.ReplaceAll(experimentFile, "URL", url)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	services := filepath.Join(dir, "services")
	if err := os.Mkdir(services, 0o755); err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(dir, "hostagent") // a copy: make build replaces the file while hosts have it mounted
	copyProgram(t, "../../../bin/hostagent", agent)
	copyProgram(t, "/proc/self/exe", filepath.Join(services, "web"))
	return Options{Path: dir, Lab: true, Dir: filepath.Join(dir, "runs"), Services: services, HostAgent: agent,
		Version: "test", Command: "injector run", Out: out, Logger: slog.New(slog.DiscardHandler)}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	program, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(need.Prefix + string(need.Tools))
	}
	if err == nil {
		err = os.WriteFile(to, program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}
