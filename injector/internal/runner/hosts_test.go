package runner

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/broker"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// A lab that stands by itself plays real hosts: the run raises nothing, dials
// the broker that the agents dial, and leaves the hosts as they were.
func TestRunOnHostsThatStand(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer service.Close()
	out := &output{t: t}
	o := options(t, service.URL, out)
	hosts, _, _ := strings.Cut(labFile, "services:") // real hosts have services of their own
	inv, err := inventory.Parse([]byte(hosts), "hosts.yaml", nil)
	if err == nil {
		err = os.WriteFile(filepath.Join(o.Path, "hosts.yaml"), []byte(hosts), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Up(t.Context(), lab.Config{Inventory: *inv, Dir: t.TempDir(), HostAgent: o.HostAgent})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	}()
	b, err := broker.Start(l.MgmtDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.ListenUnix(filepath.Join(l.MgmtDir(), "broker.sock")); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Lab, o.NATS, o.Keys, o.Inventory = false, b.URL(), keysOf(t, b), filepath.Join(o.Path, "hosts.yaml")
	run, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkCut(t, run, out)
	if s, err := l.Power().Status(t.Context(), "h1"); err != nil || !s.On {
		t.Errorf("h1 after the run: %+v, %v", s, err)
	}
}

// keysOf writes the injector's keys of a broker to a folder, as --keys wants them.
func keysOf(t *testing.T, b *broker.Broker) string {
	t.Helper()
	dir := t.TempDir()
	if err := b.WriteKeys(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, control.CommandKey)); err != nil {
		t.Fatal(err)
	}
	return dir
}
