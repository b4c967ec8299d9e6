// Package containertest starts containers for tests, by runc(8) alone, as
// containerd and Docker do: in namespaces and control groups of their own.
package containertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// runc is the program, of Debian's package of that name.
const runc = "/usr/sbin/runc"

// Container is a container that runs. It ends with the test.
type Container struct {
	*processtest.Program
	ID   string
	PID  int // of its first process, as the test sees it
	home string
}

// Spec says what a container is like.
type Spec struct {
	ID     string // 64 hexadecimal digits
	Parent string // the control group above its own; "": one of the test
	Role   processtest.Role
	// Network is the path of the network namespace it joins; "": one of its own,
	// HostNetwork: none, so that it has the test's.
	Network string
	// Processes is the path of the namespace of processes it joins; "": one of its own.
	Processes string
}

// HostNetwork is the network of a container that has none of its own.
const HostNetwork = "host"

// Named is what an experiment says to mean the container.
func Named(id string) scope.Scope { return scope.Scope{Named: container.Named{Container: id}} }

// ID makes an id that begins with these digits.
func ID(begin string) string {
	return begin + fmt.Sprintf("%0*x", 64-len(begin), time.Now().UnixNano())
}

// Start starts a container whose one program is the test binary in this role.
func Start(t testing.TB, s Spec) *Container {
	t.Helper()
	need.Check(t, need.Root, need.Runc)
	if s.Parent == "" {
		s.Parent = fmt.Sprintf("/containertest-%d-%d", os.Getpid(), time.Now().UnixNano())
		t.Cleanup(func() { must(t, remove(s.Parent)) })
	}
	c := &Container{ID: s.ID, home: t.TempDir()}
	must(t, c.bundle(s))
	c.Program = processtest.Run(t, proc.Spec{Path: runc, Args: c.args("run", "--bundle", c.home, "--pid-file", c.pidFile(), s.ID)})
	t.Cleanup(func() { c.Stop(t) })
	// The program may speak before runc has written down which process it is.
	for range 200 {
		b, _ := os.ReadFile(c.pidFile())
		if c.PID, _ = strconv.Atoi(string(b)); c.PID != 0 {
			return c
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("runc does not say which process it started")
	return nil
}

func (c *Container) pidFile() string { return filepath.Join(c.home, "pid") }

func (c *Container) args(args ...string) []string {
	return append([]string{"--root", filepath.Join(c.home, "state")}, args...)
}

// Stop ends the container and takes it away, with its control groups.
func (c *Container) Stop(t testing.TB) {
	t.Helper()
	p, err := proc.Start(proc.Spec{Path: runc, Args: c.args("delete", "--force", c.ID)})
	must(t, err)
	_, err = p.Wait()
	must(t, err)
	_, _ = c.Wait()
}

// Alive says whether the container's first process runs.
func (c *Container) Alive() bool {
	_, err := process.Read(c.PID)
	return err == nil
}

// bundle writes what runc reads (runc-spec(8)). The container sees the host's
// programs and libraries, and the test binary as /program.
func (c *Container) bundle(s Spec) error {
	pids := map[string]string{"type": "pid"}
	if s.Processes != "" {
		pids["path"] = s.Processes
	}
	namespaces := []map[string]string{pids, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}}
	switch s.Network {
	case HostNetwork:
	case "":
		namespaces = append(namespaces, map[string]string{"type": "network"})
	default:
		namespaces = append(namespaces, map[string]string{"type": "network", "path": s.Network})
	}
	mounts := []map[string]any{{"destination": "/proc", "type": "proc", "source": "proc"}}
	for _, dir := range []string{"/usr", "/lib", "/lib64"} {
		mounts = append(mounts, map[string]any{"destination": dir, "type": "bind", "source": dir, "options": []string{"rbind", "ro"}})
	}
	config := map[string]any{
		"ociVersion": "1.0.2",
		"process":    map[string]any{"args": []string{"/program", string(s.Role)}, "cwd": "/", "user": map[string]int{"uid": 0, "gid": 0}},
		"root":       map[string]any{"path": "rootfs"},
		"mounts":     mounts,
		"linux":      map[string]any{"namespaces": namespaces, "cgroupsPath": filepath.Join(s.Parent, s.ID)},
	}
	b, err := json.Marshal(config)
	if err != nil {
		return err
	}
	root := filepath.Join(c.home, "rootfs")
	return errors.Join(os.Mkdir(root, 0o755), processtest.Copy(filepath.Join(root, "program")), os.WriteFile(filepath.Join(c.home, "config.json"), b, 0o600))
}

// remove takes away the group above a container's in all hierarchies.
func remove(path string) error {
	all, err := cgroup.Hierarchies()
	for _, h := range all {
		err = errors.Join(err, cgroup.Remove(filepath.Join(h.Mount, path), 5*time.Second))
	}
	return err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
