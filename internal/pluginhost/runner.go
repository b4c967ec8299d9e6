package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	gorunner "github.com/hashicorp/go-plugin/runner"

	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// socketFolder is how go-plugin names the folder of one plugin inside Config.Dir.
const socketFolder = "plugin-dir"

// runner starts a plugin for go-plugin. Its output goes to files: a pipe would
// break with the agent, and the next line of log would kill the plugin.
type runner struct {
	c   Config
	env []string
	dir string

	mu      sync.Mutex
	process *proc.Process
	aborted bool

	stdout, stderr *tail
	done           chan struct{} // closed when the process has ended
}

func newRunner(c Config) *runner { return &runner{c: c, done: make(chan struct{})} }

// command is what is looked at of the *exec.Cmd that go-plugin hands over; this
// package starts no process by it.
type command interface{ Environ() []string }

// attach sets the function that go-plugin calls with the command it would run;
// of that only the environment counts.
func attach[C command](hook *func(hclog.Logger, C, string) (gorunner.Runner, error), r *runner) {
	*hook = func(_ hclog.Logger, cmd C, dir string) (gorunner.Runner, error) {
		r.env = append(cmd.Environ(), r.c.Env...)
		if r.c.Lock != "" {
			r.env = append(r.env, fault.LockEnv+"="+r.c.Lock)
		}
		r.dir = dir
		return r, nil
	}
}

// Start starts the process and moves it into its group. Until its first call a
// plugin changes nothing, so the moment outside the group is harmless.
func (r *runner) Start(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.aborted {
		return context.Canceled
	}
	var err error
	if r.stdout, err = newTail(filepath.Join(r.dir, "stdout")); err != nil {
		return err
	}
	if r.stderr, err = newTail(filepath.Join(r.dir, "stderr")); err != nil {
		return errors.Join(err, r.stdout.Close())
	}
	path, args := r.c.command()
	p, err := proc.Start(proc.Spec{
		Path: path, Args: args, Env: r.env,
		Stdout: r.stdout.write, Stderr: r.stderr.write,
		Attr: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return errors.Join(err, r.stdout.Close(), r.stderr.Close())
	}
	r.process = p
	r.stdout.started()
	r.stderr.started()
	go func() {
		_, _ = p.Wait() // a plugin ends by SIGKILL as a rule; the code says nothing
		close(r.done)
		r.stdout.end()
		r.stderr.end()
	}()
	if err := r.join(); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// join moves the process by cgroup.procs, which works in v1 and v2 and also in
// a group that was killed before; cloning into such a group kills the child.
func (r *runner) join() error {
	if r.c.Cgroup == "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(r.c.Cgroup, "cgroup.procs"), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("join control group: %w", err)
	}
	defer f.Close()
	if _, err := f.WriteString(strconv.Itoa(r.process.PID)); err != nil {
		return fmt.Errorf("join control group: %w", err)
	}
	return nil
}

// abort ends a start that is under way.
func (r *runner) abort() {
	r.mu.Lock()
	r.aborted = true
	r.mu.Unlock()
	_ = r.Kill(context.Background())
}

// Kill sends SIGKILL; a process that has ended is no error.
func (r *runner) Kill(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return nil
	}
	if err := r.process.Kill(); err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	return nil
}

func (r *runner) Wait(context.Context) error {
	<-r.done
	return nil
}

func (r *runner) pid() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return 0
	}
	return r.process.PID
}

func (r *runner) startTime() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return 0
	}
	return r.process.StartTime
}

// ended is closed when no process of this runner is there.
func (r *runner) ended() <-chan struct{} {
	if r.pid() != 0 {
		return r.done
	}
	none := make(chan struct{})
	close(none)
	return none
}

// clean removes sockets and output; go-plugin leaves them when the start failed.
func (r *runner) clean() {
	if r.dir != "" {
		_ = os.RemoveAll(r.dir) // Sweep gets what is left
	}
}

// ID is the pid, or empty before the start: go-plugin takes that for "nothing to kill".
func (r *runner) ID() string {
	if pid := r.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

func (r *runner) Name() string          { return string(r.c.Kind) }
func (r *runner) Stdout() io.ReadCloser { return r.stdout }
func (r *runner) Stderr() io.ReadCloser { return r.stderr }

// Diagnose says what the plugin wrote, when it did not come up.
func (r *runner) Diagnose(context.Context) string {
	b, err := os.ReadFile(filepath.Join(r.dir, "stderr"))
	if err != nil || len(b) == 0 {
		return "the plugin wrote nothing to stderr"
	}
	return "stderr of the plugin: " + string(b[max(0, len(b)-2000):])
}

// PluginToHost and HostToPlugin translate addresses; both sides share the file system.
func (r *runner) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin is the other direction of PluginToHost.
func (r *runner) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
