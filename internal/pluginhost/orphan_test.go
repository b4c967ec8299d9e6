package pluginhost_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// agentRole makes this test binary an agent that applies a note and then sits
// there to be killed. Arguments: note, lock file, folder, end in ns.
const agentRole = "test-agent"

func runAgent(args []string) error {
	note, lock, dir := args[0], args[1], args[2]
	end, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	p, err := pluginhost.Launch(context.Background(), pluginhost.Config{Kind: "note", Path: proc.Self, Dir: dir, Lock: lock})
	if err != nil {
		return err
	}
	change := json.RawMessage(`{"path":"` + note + `"}`)
	var until fault.BootTime
	if end != 0 {
		until = fault.Now().Add(end)
	}
	if _, err := p.Apply(context.Background(), []fault.RawItem{{ID: "i", Change: change}}, 0, until); err != nil {
		return err
	}
	fmt.Println(p.PID())
	select {}
}

// orphaned starts an agent with a live injection that ends after end, and kills
// the agent. It returns the pid of the plugin that is left.
func orphaned(t *testing.T, note, lock string, end time.Duration) (plugin int, start uint64) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	agent, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{agentRole, note, lock, shortDir(t), end.String()}, Stdout: w, Stderr: os.Stderr})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("agent did not come up: %v", err)
	}
	if plugin, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	if start, err = proc.StartTime(plugin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { killIfAlive(t, plugin, start) })
	if err := agent.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Wait(); err != nil {
		t.Fatal(err)
	}
	return plugin, start
}

func killIfAlive(t *testing.T, pid int, start uint64) {
	t.Helper()
	f, err := proc.OpenPidfd(pid, start)
	if errors.Is(err, proc.ErrGone) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if err := proc.KillPidfd(f); err != nil {
		t.Error(err)
	}
}

func present(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func eventually(t *testing.T, what string, within time.Duration, f func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: %s did not come", within, what)
		}
	}
}

// ends looks through a pidfd: a process may be dead long before init reaps it.
func ends(t *testing.T, pid int, start uint64, within time.Duration) {
	t.Helper()
	f, err := proc.OpenPidfd(pid, start)
	if errors.Is(err, proc.ErrGone) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(within.Milliseconds())); n != 1 {
		t.Errorf("the process has not ended after %v: %v", within, err)
	}
}

func TestPluginRevertsWhenItsAgentIsGoneAndItsEndHasCome(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	plugin, start := orphaned(t, note, filepath.Join(t.TempDir(), "lock"), 600*time.Millisecond)
	if !present(t, note) {
		t.Error("the fault ended before its end")
	}
	eventually(t, "the revert", 2*time.Second, func() bool { return !present(t, note) })
	ends(t, plugin, start, 3*time.Second)
}

// The twin: with the plugin dead too nobody is left who could revert.
func TestNobodyRevertsForADeadPlugin(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	plugin, start := orphaned(t, note, filepath.Join(t.TempDir(), "lock"), 300*time.Millisecond)
	killIfAlive(t, plugin, start)
	time.Sleep(600 * time.Millisecond)
	if !present(t, note) {
		t.Error("somebody else than the plugin reverted")
	}
}

func TestInjectionWithoutEndIsRevertedAtTheAgentsDeath(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	orphaned(t, note, filepath.Join(t.TempDir(), "lock"), 0)
	eventually(t, "the revert", time.Second, func() bool { return !present(t, note) })
}

func TestPluginRevertsUnderTheLockOnly(t *testing.T) {
	note, lock := filepath.Join(t.TempDir(), "note"), filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(lock)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	orphaned(t, note, lock, 100*time.Millisecond)
	time.Sleep(500 * time.Millisecond)
	if !present(t, note) {
		t.Error("reverted while somebody else held the lock")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the revert", time.Second, func() bool { return !present(t, note) })
}

// A lock that can't be opened can't be held by anybody: the host comes first.
func TestPluginRevertsWhenThereIsNoLockToTake(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	orphaned(t, note, "/nonexistent/lock", 100*time.Millisecond)
	eventually(t, "the revert", 2*time.Second, func() bool { return !present(t, note) })
}

func TestTermWithoutAgentEndsAllAtOnce(t *testing.T) {
	note := filepath.Join(t.TempDir(), "note")
	plugin, start := orphaned(t, note, filepath.Join(t.TempDir(), "lock"), time.Hour)
	time.Sleep(100 * time.Millisecond)
	if !present(t, note) {
		t.Fatal("the fault ended before its end")
	}
	if err := syscall.Kill(plugin, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ends(t, plugin, start, 3*time.Second)
	if present(t, note) {
		t.Error("the plugin went without reverting")
	}
}

func TestTermWithAgentWaitsForTheAgent(t *testing.T) {
	p := launch(t, nil)
	note := filepath.Join(t.TempDir(), "note")
	change := json.RawMessage(`{"path":"` + note + `"}`)
	if _, err := p.Apply(t.Context(), []fault.RawItem{{ID: "i", Change: change}}, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	if err := p.Revert(t.Context(), fault.Target{}, change); err != nil {
		t.Fatalf("the plugin did not wait for its agent: %v", err)
	}
	select {
	case <-p.Done():
	case <-time.After(2 * time.Second):
		t.Error("nothing is left to revert, and the plugin stays")
	}
}
