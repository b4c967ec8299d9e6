package lab_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/lab"
)

const withService = twoHosts + `
services:
  - name: beat
    exec: program
    args: [test-serve, "${host} ${ip} ${ip.h2}", 1h]
    files: [{path: "/data/beat/conf", content: "peer ${ip.h2}"}]
    hosts: {hosts: h1}
  - name: fragile
    exec: program
    args: [test-serve, fragile, 50ms]
    hosts: {hosts: h2}
`

// programs is a folder of services that holds this test binary.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	in := must1(os.Open("/proc/self/exe"))
	defer in.Close()
	out := must1(os.OpenFile(filepath.Join(dir, "program"), os.O_CREATE|os.O_WRONLY, 0o755))
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Services start when told to, with their arguments and files expanded; again
// when they end, and again at power-on. What they say stays outside their host.
func TestServices(t *testing.T) {
	dir := t.TempDir()
	l := up(t, lab.Config{Inventory: parse(t, withService), Dir: dir, Services: programs(t)})
	starts := func(host string) int {
		text, _ := run(t, l, host, "cat", "/data/starts")
		return strings.Count(text+"\n", "start\n")
	}
	if n := starts("h1"); n != 0 {
		t.Errorf("started %d times before it was told to", n)
	}
	if err := l.StartServices(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "service started", func() bool { return starts("h1") == 1 })
	eventually(t, "service restarted after its end", func() bool { return starts("h2") > 1 })
	inHierarchies := []string{"cpu", "memory", "unified"}
	if all := must1(cgroup.Hierarchies()); len(all) == 1 {
		inHierarchies = []string{"."} // v2 alone is mounted on the folder itself
	}
	for _, hierarchy := range inHierarchies {
		if must(t, l, "h1", "cat", "/sys/fs/cgroup/"+hierarchy+"/svc/beat/cgroup.procs") == "" {
			t.Errorf("the service is not in its group of %s", hierarchy)
		}
	}
	if got := must(t, l, "h1", "cat", "/proc/1/cgroup"); strings.Contains(got, "svc") {
		t.Errorf("pid 1 is in the group of a service:\n%s", got)
	}
	if got := must(t, l, "h1", "cat", "/data/beat/conf"); got != "peer 10.77.1.2" {
		t.Errorf("file of service holds %q", got)
	}
	if err := l.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	cut(t, status(t, l, "h1"))
	on(t, l, "h1")
	eventually(t, "service started at power-on", func() bool { return starts("h1") == 2 })
	log := filepath.Join(dir, "logs/h1/beat.log")
	eventually(t, "log holds both starts", func() bool {
		b, err := os.ReadFile(log)
		return err == nil && strings.Count(string(b), "serving as h1 10.77.1.1 10.77.1.2\n") == 2
	})
}

// A service that cannot be started says so in its own log, once, as a finding.
func TestServiceThatDoesNotStart(t *testing.T) {
	dir, services := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(services, "program"), []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	l := up(t, lab.Config{Inventory: parse(t, withService), Dir: dir, Services: services})
	if err := l.StartServices(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := func() string {
		b, _ := os.ReadFile(filepath.Join(dir, "logs/h1/beat.log"))
		return string(b)
	}
	tries := func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "logs/h1/hostinit.log"))
		return strings.Count(string(b), "service not started") > 2
	}
	eventually(t, "three tries", tries)
	if got := said(); strings.Count(got, "finding: service beat does not start: ") != 1 || !strings.Contains(got, "no such file") {
		t.Errorf("its log holds %q", got)
	}
}

// Settled data survives a cut that loses unsettled data.
func TestSettle(t *testing.T) {
	for name, settle := range map[string]bool{"settled": true, "not settled": false} {
		t.Run(name, func(t *testing.T) {
			l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
			write(t, l, "h1", "no", "/data/file")
			if settle {
				if err := l.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			cut(t, status(t, l, "h1"))
			on(t, l, "h1")
			if _, code := run(t, l, "h1", "grep", "-q", "content", "/data/file"); (code == 0) != settle {
				t.Errorf("kept: %v", code == 0)
			}
		})
	}
}
