package dns

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// getent asks the C library for the addresses of a name, with a resolv.conf(5) of
// its own, and returns what it prints.
func getent(t *testing.T, ns *netns.NS, conf, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	faulttest.Must(t, os.WriteFile(file, []byte(conf), 0o644))
	var out []byte
	faulttest.Must(t, ns.Do(func() error {
		script := fmt.Sprintf("mount --bind %s /etc/resolv.conf && exec getent ahosts %s", file, name)
		out, _ = exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script).CombinedOutput()
		return nil
	}))
	return string(out)
}

// The C library, with its search domains, A and AAAA at once on one socket, over
// UDP or TCP: it does not find the name, and finds others.
func TestCLibrary(t *testing.T) {
	need.Check(t, need.Libc)
	w := traffictest.New(t)
	s := serve(t, w.B, traffictest.AddrB)
	serve(t, w.A, local)
	const options = "search example.com\noptions timeout:1 attempts:1\n"
	for _, at := range []string{traffictest.AddrB, local} {
		conf := options + "nameserver " + at + "\n"
		for mode := range codes {
			change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: mode, Names: []string{hit}})
			before := s.was(hit)
			if got := getent(t, w.A, conf, "db.example.com."); got != "" {
				t.Errorf("%s at %s: found %s", mode, at, got)
			}
			if got := getent(t, w.A, conf, "www"); !strings.Contains(got, answerA.String()) || !strings.Contains(got, answerAAAA.String()) {
				t.Errorf("%s at %s: another name below the search domain: %q", mode, at, got)
			}
			if s.was(hit) > before {
				t.Errorf("%s at %s: a query reached the resolver", mode, at)
			}
			traffictest.Revert(t, w, &Plugin{}, change)
		}
		if got := getent(t, w.A, conf, "db"); !strings.Contains(got, answerA.String()) {
			t.Errorf("at %s, after revert: %q", at, got)
		}
	}
	change := traffictest.Inject(t, w, &Plugin{}, Params{Mode: "drop", Names: []string{hit}})
	if got := getent(t, w.A, options+"options use-vc\nnameserver "+traffictest.AddrB+"\n", "www.example.com"); !strings.Contains(got, answerA.String()) {
		t.Errorf("another name over TCP: %q", got)
	}
	traffictest.Revert(t, w, &Plugin{}, change)
}
