package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/systemd"
)

// Where systemd rules cgroup v2, a lab lives in a scope that systemd leaves
// alone: elsewhere it would take away controllers that no unit of its own needs,
// and end the lab with the session of who raised it.

// scopeName is the lab's scope.
func scopeName(id string) string { return groupName(id) + ".scope" }

// scopeOf is the folder of the lab's scope in h; "" where there is none.
func scopeOf(id string, h cgroup.Hierarchy) string {
	if h.Version != 2 || !slices.Contains(h.Controllers, "cpu") || !systemd.Running() {
		return ""
	}
	return filepath.Join(h.Mount, systemd.Slice, scopeName(id))
}

// supervisorGroup holds the lab's own processes in its scope, because the scope
// itself hands controllers on and so may hold none.
const supervisorGroup = "supervisor"

// scopeWeight is of the scope beside other units: most of the CPU.
const scopeWeight = 5000

// enterScope makes the lab's scope around this process, the supervisor.
func (s *supervisor) enterScope() error {
	scope := s.spec.Scope
	if scope == "" {
		return nil
	}
	if err := systemd.Delegate(filepath.Base(scope), "Firedrill lab "+s.spec.ID, os.Getpid(), scopeWeight); err != nil {
		return err
	}
	own := filepath.Join(scope, supervisorGroup)
	if err := cgroup.Create(own); err != nil {
		return err
	}
	if err := cgroup.Enter(own); err != nil {
		return err
	}
	delegate(scope)
	return nil
}

// endScope ends the scope of a lab that has been taken down. systemd may miss that
// it is empty, so it is told; a caller in the scope ends with it.
func endScope(scope string) error {
	if scope == "" || !inScope(scope) && gone(scope, scopePatience) {
		return nil
	}
	if err := systemd.Stop(filepath.Base(scope)); err != nil {
		return err
	}
	// It removes the folders once, and leaves them where the last process was still
	// on its way out.
	for end := time.Now().Add(downLimit); time.Now().Before(end) && !gone(scope, 50*time.Millisecond); {
		_, _ = os.Remove(filepath.Join(scope, supervisorGroup)), os.Remove(scope)
	}
	if !gone(scope, 50*time.Millisecond) {
		return fmt.Errorf("wait for end of %s: systemd still has it; see systemctl status %s", scope, filepath.Base(scope))
	}
	return nil
}

// inScope says whether this process is in the scope.
func inScope(scope string) bool {
	b, err := os.ReadFile("/proc/self/cgroup")
	return err == nil && strings.Contains(string(b), "/"+filepath.Base(scope)+"/")
}

// scopePatience is how long systemd may take to see by itself that a scope is empty.
const scopePatience = 2 * time.Second

func gone(folder string, limit time.Duration) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(folder); os.IsNotExist(err) {
			return true
		}
	}
	return false
}
