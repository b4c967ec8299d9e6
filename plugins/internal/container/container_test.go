package container_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/netns"
	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/container"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/grouptest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
)

// The layouts in which runtimes name the groups of containers.
func TestLayouts(t *testing.T) {
	id := containertest.ID("4c01db0b339c")
	for layout, name := range map[string]string{
		"Docker, systemd":           "docker-ID.scope",
		"Docker, cgroupfs":          "docker/ID",
		"containerd":                "default/ID",
		"Kubernetes, containerd":    "kubepods/besteffort/pod6f1c/ID",
		"Kubernetes, systemd":       "kubepods-burstable-pod6f1c.slice/cri-containerd-ID.scope",
		"Kubernetes, wrong driver":  "system.slice:cri-containerd:ID",
		"CRI-O":                     "kubepods-pod6f1c.slice/crio-ID.scope",
		"Podman":                    "machine.slice/libpod-ID.scope",
		"a container in which runs": "docker-ID.scope/init.scope",
	} {
		t.Run(layout, func(t *testing.T) {
			dir, path := grouptest.New(t, grouptest.V2)
			group := strings.ReplaceAll(name, "ID", id)
			faulttest.Must(t, mkdirAll(dir, group))
			c, err := container.Find(id[:12])
			faulttest.Must(t, err)
			v2, err := cgroup.V2()
			faulttest.Must(t, err)
			if got, want := c.Paths[v2.Mount], filepath.Join(path, strings.TrimSuffix(group, "/init.scope")); got != want || c.ID != id {
				t.Errorf("found %s at %s, want %s", c.ID, got, want)
			}
		})
	}
}

// What is no container's group, though it carries its id.
func TestNoContainers(t *testing.T) {
	id := containertest.ID("4c01db0b339d")
	for _, name := range []string{"libpod-conmon-ID.scope", "crio-conmon-ID.scope", "var-lib-docker-overlay2-ID-merged.mount", "docker-ID0.scope", "docker-ID.service"} {
		dir, _ := grouptest.New(t, grouptest.V2)
		faulttest.Must(t, mkdirAll(dir, strings.ReplaceAll(name, "ID", id)))
	}
	mustRefuse(t, id, "no control group of this host")
}

// An id must be one, long enough, and mean one container.
func TestAmbiguous(t *testing.T) {
	dir, _ := grouptest.New(t, grouptest.V2)
	one, other := containertest.ID("77ab77ab77ab1"), containertest.ID("77ab77ab77ab2")
	faulttest.Must(t, errors.Join(mkdirAll(dir, one), mkdirAll(dir, other)))
	mustRefuse(t, "77ab77ab77ab", one+", "+other)
	mustRefuse(t, "77ab77ab77a", "is no id")
	mustRefuse(t, "77AB77AB77AB", "is no id")
	mustRefuse(t, "web", "is no id")
	if c, err := container.Find("77ab77ab77ab1"); err != nil || c.ID != one {
		t.Errorf("found %+v, %v", c, err)
	}
}

// The namespace of a container is known again, also when the container ended and
// something else holds it; that of a container that was started again is another one.
func TestNamespace(t *testing.T) {
	id := containertest.ID("4c01db0b339e")
	run := containertest.Start(t, containertest.Spec{ID: id, Role: processtest.Idle})
	c, err := container.Find(id)
	faulttest.Must(t, err)
	n, ns, err := c.Namespace()
	faulttest.Must(t, err)
	if own, err := netns.Inode(""); err != nil || own == n.Inode || n.First.PID != run.PID {
		t.Fatalf("namespace %+v of pid %d, own is %d: %v", n, run.PID, own, err)
	}
	faulttest.Must(t, n.Check())
	run.Stop(t)
	if err := n.Check(); !errors.Is(err, fault.ErrGone) {
		t.Errorf("after its end: %v", err)
	}
	// The namespace lives as long as somebody holds it: here a program in it.
	var held *processtest.Program
	faulttest.Must(t, ns.Do(func() error {
		held = processtest.Start(t, "held", processtest.Idle)
		return nil
	}))
	again, err := n.Open()
	faulttest.Must(t, err)
	faulttest.Must(t, errors.Join(again.Close(), ns.Close(), held.Kill()))
	_, _ = held.Wait()
	containertest.Start(t, containertest.Spec{ID: id, Role: processtest.Idle})
	if _, err := n.Open(); !errors.Is(err, fault.ErrGone) {
		t.Errorf("after another start: %v", err)
	}
}

// Docker's containers are found as it lists them, with a network of their own.
func TestDocker(t *testing.T) {
	_, id := containertest.Docker(t, processtest.Idle)
	c, err := container.Find(id[:12])
	faulttest.Must(t, err)
	if c.ID != id || len(c.Paths) == 0 {
		t.Errorf("found %+v, Docker says %s", c, id)
	}
	n, ns, err := c.Namespace()
	faulttest.Must(t, err)
	defer ns.Close()
	if own, err := netns.Inode(""); err != nil || own == n.Inode {
		t.Errorf("namespace %+v, own is %d: %v", n, own, err)
	}
	t.Logf("found at %v, first process %s", c.Paths, n.First)
}

func mkdirAll(dir, path string) error {
	for _, name := range strings.Split(path, "/") {
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func mustRefuse(t *testing.T, id, says string) {
	t.Helper()
	_, err := container.Find(id)
	var refused *fault.RefusedError
	if !errors.As(err, &refused) || refused.Field != "container" || !strings.Contains(err.Error(), says) {
		t.Errorf("%s: error %v, want a refusal of container that says %s", id, err, says)
	}
}

func TestMain(m *testing.M) {
	processtest.Main()
	os.Exit(m.Run())
}
