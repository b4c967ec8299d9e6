package containertest

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// runc starts a container by itself; nothing else knows of it.
type runc struct{}

func (runc) command(home string, args ...string) proc.Spec {
	return proc.Spec{Path: "/usr/sbin/runc", Args: append([]string{"--root", filepath.Join(home, "state")}, args...)}
}

// run writes what runc reads (runc-spec(8)).
func (r runc) run(home string, s Spec) (proc.Spec, error) {
	namespaces := []map[string]string{{"type": "ipc"}, {"type": "uts"}, {"type": "mount"}}
	for kind, path := range map[string]string{"network": s.Network, "pid": s.Processes} {
		n := map[string]string{"type": kind}
		if path != "" {
			n["path"] = path
		}
		namespaces = append(namespaces, n)
	}
	mounts := []map[string]any{{"destination": "/proc", "type": "proc", "source": "proc"}}
	for _, dir := range hostDirs {
		mounts = append(mounts, map[string]any{"destination": dir, "type": "bind", "source": dir, "options": []string{"rbind", "ro"}})
	}
	b, err := json.Marshal(map[string]any{
		"ociVersion": "1.0.2",
		"process":    map[string]any{"args": []string{"/program", string(s.Role)}, "cwd": "/", "user": map[string]int{"uid": 0, "gid": 0}},
		"root":       map[string]any{"path": filepath.Base(rootOf(home))},
		"mounts":     mounts,
		"linux":      map[string]any{"namespaces": namespaces, "cgroupsPath": filepath.Join(s.Parent, s.ID)},
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "config.json"), b, 0o600)
	}
	return r.command(home, "run", "--bundle", home, "--pid-file", pidFile(home), s.ID), err
}

func (r runc) stop(home, id string) proc.Spec { return r.command(home, "delete", "--force", id) }

// containerd has a container started by its service.
type containerd struct{}

func (containerd) command(args ...string) proc.Spec {
	return proc.Spec{Path: "/usr/bin/ctr", Args: args}
}

func (c containerd) run(home string, s Spec) (proc.Spec, error) {
	args := []string{"run", "--rm", "--rootfs", "--pid-file", pidFile(home)}
	for kind, path := range map[string]string{"network": s.Network, "pid": s.Processes} {
		if path != "" {
			args = append(args, "--with-ns", kind+":"+path)
		}
	}
	for _, dir := range hostDirs {
		args = append(args, "--mount", "type=bind,src="+dir+",dst="+dir+",options=rbind:ro")
	}
	if s.Parent != "" {
		args = append(args, "--cgroup", filepath.Join(s.Parent, s.ID))
	}
	return c.command(append(args, rootOf(home), s.ID, "/program", string(s.Role))...), nil
}

func (c containerd) stop(_, id string) proc.Spec {
	return c.command("task", "kill", "--signal", "SIGKILL", id)
}
