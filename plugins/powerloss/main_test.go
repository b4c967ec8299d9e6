package powerloss

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/inventory"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/power"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
)

// TestMain is also the main function of what runs inside the lab's hosts.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == workerArg {
		if err := work(os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	faulttest.Main(m, fault.NewDriver(&Plugin{}))
}

// raise raises a lab with one rack of hosts p1, p2, …
func raise(t testing.TB, hosts int) *lab.Lab {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	inv := inventory.Inventory{
		Name:  "rack",
		Sites: []inventory.Site{{Name: "pangyo", Racks: []inventory.Rack{{Name: "r1"}}}},
		Power: []inventory.PowerSource{{Name: "ups", Kind: inventory.UPS, Site: "pangyo"}},
	}
	for i := range hosts {
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: "p" + strconv.Itoa(i+1), Site: "pangyo", Rack: "r1", Feeds: []string{"ups"}, Address: "10.77.1." + strconv.Itoa(i+1)})
	}
	l, err := lab.Up(t.Context(), lab.Config{Inventory: inv})
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

func statusOf(t testing.TB, l *lab.Lab, host string) power.Status {
	t.Helper()
	s, err := l.Power().Status(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func targetOf(l *lab.Lab, host string) fault.Target {
	return fault.Target{Host: host, Power: l.PowerSocket(), StateDir: l.Dir()}
}

// prepared prepares the loss of hosts.
func prepared(t testing.TB, l *lab.Lab, hosts ...string) []fault.Item[Change] {
	t.Helper()
	var items []fault.Item[Change]
	for _, h := range hosts {
		c, err := (&Plugin{}).Prepare(t.Context(), targetOf(l, h), Params{})
		if err != nil {
			t.Fatalf("prepare %s: %v", h, err)
		}
		items = append(items, fault.Item[Change]{ID: fault.InjectionID(h), Target: targetOf(l, h), Change: c})
	}
	return items
}

// dark cuts the power of all items and fails the test if one goes wrong.
func dark(t testing.TB, items []fault.Item[Change]) {
	t.Helper()
	for i, err := range (&Plugin{}).ApplyBatch(t.Context(), items, 0, 0) {
		if err != nil {
			t.Fatalf("cut %s: %v", items[i].Target.Host, err)
		}
	}
}

// lit switches all items on again.
func lit(t testing.TB, items []fault.Item[Change]) {
	t.Helper()
	for _, it := range items {
		if err := (&Plugin{}).Revert(t.Context(), it.Target, it.Change); err != nil {
			t.Fatalf("revert %s: %v", it.Target.Host, err)
		}
	}
}

// killed is what other tools call a power loss: SIGKILL to everything.
func killed(t testing.TB, s power.Status) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Cgroup, "cgroup.kill"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); alive(s); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("host %s is still there", s.Host)
		}
	}
}

// start runs a worker in host; its standard output is the returned file.
func start(t testing.TB, l *lab.Lab, host, worker string, args ...string) (*lab.HostProcess, *os.File) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Start(host, lab.HostCommand{Path: proc.Self, Args: append([]string{workerArg, worker}, args...), Stdio: lab.Stdio{Out: in, Err: os.Stderr}})
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	t.Cleanup(func() {
		_ = p.Close()
		_ = out.Close()
	})
	return p, out
}

// running says whether a command can be run in host.
func running(ctx context.Context, l *lab.Lab, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	code, err := l.Exec(ctx, host, []string{"true"}, lab.Stdio{})
	if err == nil && code != 0 {
		return fmt.Errorf("true exited with %d", code)
	}
	return err
}
