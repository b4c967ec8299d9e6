package runner

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/injector/internal/broker"
	"github.com/firedrill-io/firedrill/internal/inventory"
)

// A program that hosts would miss is told before any host is raised.
func TestProgramsAreThere(t *testing.T) {
	dir := t.TempDir()
	here := filepath.Join(dir, "here")
	if err := os.WriteFile(here, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	service := []inventory.Service{{Name: "web", Exec: "here"}}
	for _, tc := range []struct {
		o        Options
		services []inventory.Service
		says     string
	}{
		{Options{HostAgent: here, Services: dir}, service, ""},
		{Options{HostAgent: here, Services: "/nowhere"}, nil, ""},
		{Options{HostAgent: here, Services: "/nowhere"}, service, "service web needs the program here, which is not in /nowhere: run make build"},
		{Options{HostAgent: "/nowhere", Services: dir}, service, "--hostagent"},
	} {
		err := programs(&inventory.Inventory{Services: tc.services}, &tc.o)
		if (err == nil) != (tc.says == "") || err != nil && !(isRefusal(err) && strings.Contains(err.Error(), tc.says)) {
			t.Errorf("got %v, want %q", err, tc.says)
		}
	}
}

// A broker that is not there is named at once, not as agents that do not answer.
func TestBrokerIsNotThere(t *testing.T) {
	keys := t.TempDir()
	if err := broker.EnsureCommandKey(keys); err != nil {
		t.Fatal(err)
	}
	o := Options{NATS: "nats://127.0.0.1:1", Keys: keys, Logger: slog.New(slog.DiscardHandler)}
	if _, err := joinHosts(o); !isRefusal(err) || !strings.Contains(err.Error(), "broker nats://127.0.0.1:1 does not answer") {
		t.Errorf("got %v", err)
	}
}
