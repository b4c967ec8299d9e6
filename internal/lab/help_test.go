package lab_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/internal/proc"
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
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	l, err := lab.Up(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			tell(t, l, cfg.Dir)
		}
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// tell prints what the lab's own processes said.
func tell(t testing.TB, l *lab.Lab, dir string) {
	t.Helper()
	for _, pattern := range []string{l.Dir() + "/*.log", dir + "/logs/*/hostinit.log"} {
		logs, _ := filepath.Glob(pattern)
		for _, path := range logs {
			b, _ := os.ReadFile(path)
			t.Logf("%s:\n%s", path, b)
		}
	}
}

// run runs a command in a host and returns what it wrote and its exit code.
func run(t testing.TB, l *lab.Lab, host string, argv ...string) (string, int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var text bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&text, r)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code, err := l.Exec(ctx, host, argv, lab.Stdio{Out: w, Err: w})
	_ = w.Close()
	if err != nil {
		t.Fatalf("%s in %s: %v", argv, host, err)
	}
	<-read
	return strings.TrimSpace(text.String()), code
}

// must runs a command in a host that has to succeed.
func must(t testing.TB, l *lab.Lab, host string, argv ...string) string {
	t.Helper()
	text, code := run(t, l, host, argv...)
	if code != 0 {
		t.Fatalf("%s in %s exited with %d: %s", argv, host, code, text)
	}
	return text
}

// write writes files in a host, made durable or not.
func write(t testing.TB, l *lab.Lab, host, sync string, paths ...string) {
	t.Helper()
	must(t, l, host, append([]string{proc.Self, "test-write", sync}, paths...)...)
}

func status(t testing.TB, l *lab.Lab, host string) power.Status {
	t.Helper()
	s, err := l.Power().Status(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// eventually waits until ok says yes.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in 15 s: %s", what)
		}
	}
}
