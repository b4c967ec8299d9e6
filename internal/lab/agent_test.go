package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/netns"
)

// whoami is what the stand-in for the host agent says of itself at its start.
type whoami struct {
	Args   []string
	PID    int
	NetNS  uint64
	Mounts string
	Group  string
}

// testServeAgent stands in for the host agent: it says who it is and stays.
func testServeAgent(args []string) error {
	w := whoami{Args: args, PID: os.Getpid()}
	var err error
	if w.NetNS, err = netns.Inode(""); err != nil {
		return err
	}
	if w.Mounts, err = os.Readlink("/proc/self/ns/mnt"); err != nil {
		return err
	}
	h, err := cgroup.V2()
	if err != nil {
		return err
	}
	if w.Group, err = h.Own(); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(w); err != nil {
		return err
	}
	time.Sleep(time.Hour)
	return nil
}

// starts reads what the agents of one log said.
func starts(t *testing.T, dir, name string) []whoami {
	t.Helper()
	b, _ := os.ReadFile(filepath.Join(dir, "logs", name, "hostagent.log"))
	var all []whoami
	for line := range strings.Lines(string(b)) {
		var w whoami
		if err := json.Unmarshal([]byte(line), &w); err != nil {
			continue // half a line
		}
		all = append(all, w)
	}
	return all
}

// One agent inside each host and one a rack beside them, none for the clients;
// each is started again after its death, and the inner one at power-on too.
func TestAgents(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(programs(t), "program")
	l := up(t, lab.Config{Inventory: parse(t, twoHosts), Dir: dir, HostAgent: program})
	if err := l.StartAgents(t.Context()); err != nil {
		t.Fatal(err)
	}
	wait := func(name string, n int) whoami {
		t.Helper()
		eventually(t, fmt.Sprintf("start %d of the agent of %s", n, name), func() bool { return len(starts(t, dir, name)) >= n })
		return starts(t, dir, name)[n-1]
	}
	inner, beside := wait("h1", 1), wait("oob-r1", 1)
	s := status(t, l, "h1")
	if inner.NetNS != s.NetNS || inner.Group != "/sys/fs/cgroup/unified" && !strings.HasPrefix(inner.Group, "/sys/fs/cgroup") {
		t.Errorf("agent in host: %+v, host %+v", inner, s)
	}
	fabric := must1(netns.Inode(l.FabricNS()))
	mounts := must1(os.Readlink("/proc/self/ns/mnt"))
	if beside.NetNS != fabric || beside.Mounts != mounts || !strings.HasPrefix(beside.Group, l.Groups()[0]+"/") || strings.HasPrefix(beside.Group, s.Cgroup) {
		t.Errorf("agent beside hosts: %+v, fabric %d, mounts %s", beside, fabric, mounts)
	}
	if args := strings.Join(beside.Args, " "); !strings.Contains(args, "--name oob-r1 --out-of-band --hosts h1,h2 --power "+l.PowerSocket()) {
		t.Errorf("arguments of agent beside hosts: %s", args)
	}
	if args := strings.Join(inner.Args, " "); !strings.HasPrefix(args, "--root /state/hostagent --name h1 ") {
		t.Errorf("arguments of agent in host: %s", args)
	}
	if err := syscall.Kill(beside.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	must(t, l, "h1", "kill", "-9", fmt.Sprint(inner.PID))
	wait("h1", 2)
	again := wait("oob-r1", 2)
	cut(t, status(t, l, "h1"))
	on(t, l, "h1")
	wait("h1", 3)
	if n := len(starts(t, dir, "oob-r1")); n != 2 || syscall.Kill(again.PID, 0) != nil {
		t.Errorf("the agent beside the hosts did not outlive a power cut: %d starts", n)
	}
	for _, name := range []string{"clients", "oob-outside"} {
		if len(starts(t, dir, name)) > 0 {
			t.Errorf("the clients have an agent: %s", name)
		}
	}
}
