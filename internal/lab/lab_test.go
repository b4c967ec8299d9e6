package lab_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
)

// twoHosts is the smallest data centre with a network.
const twoHosts = `
inventory: two
sites:
  - name: north
    racks: [{name: r1}]
  - name: internet
    racks: [{name: outside}]
power:
  - {name: utility, kind: utility, site: north}
hosts:
  - {name: h1, site: north, rack: r1, feeds: [utility]}
  - {name: h2, site: north, rack: r1, feeds: [utility]}
  - {name: clients, site: internet, rack: outside, feeds: []}
`

func parse(t testing.TB, text string) inventory.Inventory {
	t.Helper()
	inv, err := inventory.Parse([]byte(text), "lab.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	return *inv
}

// up raises a lab that goes away with the test.
func up(t testing.TB, cfg lab.Config) *lab.Lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("not run: needs root")
	}
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	l, err := lab.Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// output runs a command in a host and returns what it wrote.
func output(t testing.TB, l *lab.Lab, host string, argv ...string) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text := make(chan string, 1)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code, err := l.Exec(ctx, host, argv, lab.Stdio{Out: w, Err: w})
	_ = w.Close()
	if err != nil {
		t.Fatalf("%s in %s: %v", argv, host, err)
	}
	return strings.TrimSpace(<-text), code
}

func TestTwoHosts(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	out, code := output(t, l, "h1", "hostname")
	t.Log(out, code)
	out, _ = output(t, l, "h1", "cat", "/proc/self/mountinfo", "/proc/self/cgroup", "/proc/sys/kernel/random/boot_id")
	t.Log(out)
	out, _ = output(t, l, "h1", "ip", "addr")
	t.Log(out)
	out, _ = output(t, l, "h1", "ls", "-la", "/", "/run/firedrill", "/sys/fs/cgroup/unified")
	t.Log(out)

	t.Log(out, code)
	s, err := l.Power().Status(t.Context(), "h1")
	t.Logf("%+v %v", s, err)
}
