// Package containertest starts containers for tests, in namespaces and control
// groups of their own: by containerd (ctr(8)) where systemd
// has it, by Docker, or by runc(8) alone.
package containertest

import (
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
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/process"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
)

// Container is a container that runs. It ends with the test.
type Container struct {
	*processtest.Program
	ID   string
	PID  int // of its first process, as the test sees it
	home string
	by   runtime
}

// Spec says what a container is like.
type Spec struct {
	ID     string // 64 hexadecimal digits
	Parent string // the control group above its own; "": as the runtime likes it
	Role   processtest.Role
	// Network is the path of the network namespace it joins; "": one of its own.
	Network string
	// Processes is the path of the namespace of processes it joins; "": one of its own.
	Processes string
}

// runtime is a program that starts containers.
type runtime interface {
	// run is how it starts the program of a container, whose folder is home.
	run(home string, s Spec) (proc.Spec, error)
	// stop is how it ends the container.
	stop(home, id string) proc.Spec
}

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
	c := &Container{ID: s.ID, home: t.TempDir(), by: runc{}}
	if need.Met(need.Containerd) {
		Service(t, "containerd")
		c.by = containerd{}
	} else if s.Parent == "" {
		s.Parent = fmt.Sprintf("/containertest-%d-%d", os.Getpid(), time.Now().UnixNano())
		t.Cleanup(func() { faulttest.Must(t, remove(s.Parent)) })
	}
	root := rootOf(c.home)
	faulttest.Must(t, errors.Join(os.Mkdir(root, 0o755), processtest.Copy(filepath.Join(root, "program"))))
	how, err := c.by.run(c.home, s)
	faulttest.Must(t, err)
	c.Program = processtest.Run(t, how)
	t.Cleanup(func() { c.Stop(t) })
	// The program may speak before it is written down which process it is.
	for range 200 {
		b, _ := os.ReadFile(pidFile(c.home))
		if c.PID, _ = strconv.Atoi(string(b)); c.PID != 0 {
			return c
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the runtime does not say which process it started")
	return nil
}

// Service starts a service of systemd that is installed and does not run.
func Service(t testing.TB, name string) {
	t.Helper()
	p, err := proc.Start(proc.Spec{Path: "/usr/bin/systemctl", Args: []string{"start", name}, Stderr: os.Stderr})
	faulttest.Must(t, err)
	if code, err := p.Wait(); code != 0 || err != nil {
		t.Fatalf("start service %s: code %d, %v", name, code, err)
	}
}

// Stop ends the container and takes it away, with its control groups.
func (c *Container) Stop(t testing.TB) {
	t.Helper()
	p, err := proc.Start(c.by.stop(c.home, c.ID))
	faulttest.Must(t, err)
	_, err = p.Wait()
	faulttest.Must(t, err)
	_, _ = c.Wait()
}

// Alive says whether the container's first process runs.
func (c *Container) Alive() bool {
	_, err := process.Read(c.PID)
	return err == nil
}

func rootOf(home string) string { return filepath.Join(home, "rootfs") }

func pidFile(home string) string { return filepath.Join(home, "pid") }

// hostDirs are the host's programs and libraries, which a container sees.
var hostDirs = []string{"/usr", "/lib", "/lib64"}

// remove takes away the group above a container's in all hierarchies.
func remove(path string) error {
	all, err := cgroup.Hierarchies()
	for _, h := range all {
		err = errors.Join(err, cgroup.Remove(filepath.Join(h.Mount, path), 5*time.Second))
	}
	return err
}
