package runner

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/broker"
	"github.com/firedrill-io/firedrill/injector/internal/report"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// standingHosts raises a lab that plays real hosts and returns it, the broker
// that its agents dial, and how to run the experiment on them.
func standingHosts(t *testing.T, out *output) (*lab.Lab, *broker.Broker, Options) {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(service.Close)
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
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	b, err := broker.Start(l.MgmtDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.ListenUnix(filepath.Join(l.MgmtDir(), "broker.sock")); err != nil {
		t.Fatal(err)
	}
	if err := l.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.Lab, o.NATS, o.Keys, o.Inventory = false, b.URL(), keysOf(t, b), filepath.Join(o.Path, "hosts.yaml")
	return l, b, o
}

// A lab that stands by itself plays real hosts: the run raises nothing, dials
// the broker that the agents dial, and leaves the hosts as they were.
func TestRunOnHostsThatStand(t *testing.T) {
	out := &output{t: t}
	l, _, o := standingHosts(t, out)
	run, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	checkCut(t, run, out)
	if s, err := l.Power().Status(t.Context(), "h1"); err != nil || !s.On {
		t.Errorf("h1 after the run: %+v, %v", s, err)
	}
}

// Hosts that pin another key obey nothing: the run is refused and says why.
func TestRunWithOtherKeyIsRefused(t *testing.T) {
	out := &output{t: t}
	_, _, o := standingHosts(t, out)
	if err := os.Remove(filepath.Join(o.Keys, control.CommandKey)); err != nil {
		t.Fatal(err)
	}
	if err := broker.EnsureCommandKey(o.Keys); err != nil {
		t.Fatal(err)
	}
	run, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if run.Outcome != report.RefusedRun || !strings.Contains(run.Reason, "wrong signature") || run.HostState != report.Clean {
		t.Errorf("outcome %s, %q\n%s", run.Outcome, run.Reason, out)
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
