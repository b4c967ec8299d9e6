package lab_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/firedrill-io/firedrill/internal/lab"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// owned starts a process that raises a lab, and returns it with the lab.
func owned(t *testing.T) (*proc.Process, *lab.Lab) {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	file := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(file, []byte(twoHosts), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p, err := proc.Start(proc.Spec{Path: proc.Self, Args: []string{"test-owner", file}, Stdout: w, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Kill()
		_, _ = p.Wait()
		if err := lab.Janitor(); err != nil {
			t.Error(err)
		}
	})
	_ = w.Close()
	id, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Find(strings.TrimSpace(id))
	if err != nil {
		t.Fatal(err)
	}
	return p, l
}

// role reads the pid of one of a lab's roles from its state file.
func role(t *testing.T, l *lab.Lab, name string) int {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(l.Dir(), "lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s map[string]json.RawMessage
	var p struct{ PID int }
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s[name], &p); err != nil || p.PID == 0 {
		t.Fatalf("no pid of %s in %s: %v", name, b, err)
	}
	return p.PID
}

func gone(l *lab.Lab) bool {
	for _, path := range append(l.Groups(), l.Dir()) {
		if _, err := os.Stat(path); err == nil {
			return false
		}
	}
	return true
}

// However the processes of a lab end, nothing of it is left; without a
// supervisor and power role to do it, the next janitor does.
func TestOwnerGone(t *testing.T) {
	for name, c := range map[string]struct {
		kill    []string // roles, before the owner
		freeze  bool     // a host stands still meanwhile
		janitor bool     // nobody else is left
	}{
		"owner":              {},
		"owner, host frozen": {freeze: true},
		"supervisor":         {kill: []string{"supervisor"}},
		"power":              {kill: []string{"power"}},
		"all":                {kill: []string{"supervisor", "power"}, freeze: true, janitor: true},
	} {
		t.Run(name, func(t *testing.T) {
			owner, l := owned(t)
			if c.freeze {
				freeze(t, status(t, l, "h1"))
				freezeV1(t, status(t, l, "h2"))
			}
			var pids []int
			for _, r := range c.kill {
				pids = append(pids, role(t, l, r))
			}
			// Stopped first, so that none sees another's end before its own.
			for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
				for _, pid := range pids {
					if err := syscall.Kill(pid, sig); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := owner.Kill(); err != nil {
				t.Fatal(err)
			}
			if _, err := owner.Wait(); err != nil {
				t.Fatal(err)
			}
			if c.janitor {
				if gone(l) {
					t.Error("a lab without any process went away by itself: this test shows nothing")
				}
				if err := lab.Janitor(); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "lab is gone", func() bool { return gone(l) })
		})
	}
}

// The janitor leaves a lab alone whose owner lives: the twin of the test above.
func TestJanitorSparesTheLiving(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts)})
	if err := lab.Janitor(); err != nil {
		t.Fatal(err)
	}
	if gone(l) || !status(t, l, "h1").On {
		t.Error("the janitor took a lab down whose owner lives")
	}
}

// A standing lab is found by its id until it is taken down.
func TestStanding(t *testing.T) {
	l := up(t, lab.Config{Inventory: parse(t, twoHosts), Standing: true})
	found, err := lab.Find(l.ID())
	if err != nil {
		t.Fatal(err)
	}
	if !found.Standing() || found.Owner() == os.Getpid() {
		t.Errorf("standing %v, owner %d", found.Standing(), found.Owner())
	}
	must(t, found, "h2", "true")
	if err := found.Down(); err != nil {
		t.Fatal(err)
	}
	if !gone(found) {
		t.Error("something is left")
	}
	if _, err := lab.Find(l.ID()); err == nil {
		t.Error("still found after it was taken down")
	}
}
