package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/cgroup"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// clearLimit bounds the wait for what is left of a host that was cut.
const clearLimit = 10 * time.Second

// boot switches a host on. One that is on and sound stays as it is; what is
// left of one that is not is ended and waited for first.
func (c *controller) boot(ctx context.Context, m *machine) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.sound(m) && m.run.writable() {
		return nil
	}
	if err := c.clear(m); err != nil {
		return err
	}
	m.boots++
	groups, err := hostGroups(c.spec, m.spec, m.boots)
	if err != nil {
		return err
	}
	r, err := c.start(ctx, m, groups)
	if err != nil {
		return errors.Join(err, cgroup.Kill(groups[0]), removeGroups(groups, clearLimit), unplug(c.spec.ID, m.spec))
	}
	m.run = r
	return nil
}

// clear ends what is left of the last power-on: processes, cable, groups, and
// waits until its file systems and loop devices are released. A new mount of
// an image whose old super block lives on would be dead from the start.
func (c *controller) clear(m *machine) error {
	if m.run != nil {
		m.last, m.run = m.run, nil
	}
	r := m.last
	if r == nil {
		return unplug(c.spec.ID, m.spec)
	}
	if err := r.end(); err != nil {
		return err
	}
	_ = r.wire.close()
	if err := unplug(c.spec.ID, m.spec); err != nil {
		return err
	}
	if err := waitReleased(filepath.Dir(image(c.spec.Dir, m.spec.Name, ""))+"/", r.loops, clearLimit); err != nil {
		return err
	}
	if err := removeGroups(r.groups, clearLimit); err != nil {
		return err
	}
	m.last = nil
	return nil
}

// end kills all of a host and waits for its end. What a v1 freezer holds dies
// only once it is thawed.
func (r *running) end() error {
	if err := cgroup.Kill(r.groups[0]); err != nil {
		return err
	}
	for _, g := range r.groups[1:] {
		if _, err := cgroup.Read(g, "freezer.state"); err != nil {
			continue // another hierarchy, or gone
		}
		if err := thaw(g); err != nil {
			return err
		}
	}
	if err := cgroup.WaitEmpty(r.groups[0], clearLimit); err != nil {
		return err
	}
	select {
	case <-r.ended:
		return nil
	case <-time.After(clearLimit):
		return errors.New("end the host's processes: pid 1 is still there")
	}
}

// start starts pid 1, lays the cable and tells pid 1 what to become.
func (c *controller) start(ctx context.Context, m *machine, groups []string) (*running, error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	dir, err := logFolder(c.spec.RunDir, m.spec.Name)
	if err != nil {
		return nil, errors.Join(err, ours.close())
	}
	defer dir.Close()
	p, err := c.fork(m, groups, theirs)
	if err != nil {
		return nil, errors.Join(err, ours.close())
	}
	r := &running{process: p, wire: ours, groups: groups, bootID: newBootID(), ended: make(chan struct{})}
	go func() {
		// The code says nothing: pid 1 of a host ends by being killed.
		_, _ = p.Wait()
		close(r.ended)
	}()
	fail := func(err error) (*running, error) {
		_ = p.Kill()
		<-r.ended
		return nil, errors.Join(err, ours.close())
	}
	if r.veth, err = cable(c.spec.ID, m.spec, p.PID); err != nil {
		return fail(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = p.Kill() })
	defer stop()
	if err := c.bring(m, r, dir); err != nil {
		return fail(err)
	}
	if err := r.identify(); err != nil {
		return fail(err)
	}
	return r, nil
}

// bring hands pid 1 its orders and waits until the host is up.
func (c *controller) bring(m *machine, r *running, logs *os.File) error {
	control, err := c.control(m)
	if err != nil {
		return err
	}
	defer control.Close()
	c.mu.Lock()
	boot := bootSpec{
		ID: c.spec.ID, Host: m.spec, BootID: r.bootID, Root: rootDir(c.spec.Dir), Mgmt: mgmtDir(c.spec.Dir),
		ServicesDir: c.spec.Services, HostAgent: c.spec.HostAgent, Plugins: c.spec.Plugins, HostsFile: hostsFile(c.spec.Dir),
		Hierarchies: c.spec.Hierarchies, Services: c.services, Agent: c.agents,
	}
	c.mu.Unlock()
	if c.spec.Racks[m.spec.Rack].Clients {
		boot.HostAgent = ""
	}
	files := []*os.File{control, logs}
	for _, d := range disks {
		path := image(c.spec.Dir, m.spec.Name, d.name)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("open disk image: %w", err)
		}
		defer f.Close()
		files = append(files, f)
		boot.Disks = append(boot.Disks, diskSpec{Mount: d.mount, Image: path})
	}
	var up booted
	if err := r.wire.ask(boot, &up, files...); err != nil {
		return fmt.Errorf("boot: %w: see %s", err, filepath.Join(logDir(c.spec.RunDir, m.spec.Name), "hostinit.log"))
	}
	if up.Error != "" {
		return fmt.Errorf("boot: %s", up.Error)
	}
	r.loops = up.Loops
	return nil
}

// control opens a new control socket for a host. The old one refuses
// connections from the moment its host is gone.
func (c *controller) control(m *machine) (*os.File, error) {
	path := hostSocket(c.spec.Dir, m.spec.Name)
	if err := os.RemoveAll(path); err != nil {
		return nil, fmt.Errorf("remove old control socket: %w", err)
	}
	l, err := listenWire(path)
	if err != nil {
		return nil, fmt.Errorf("listen for commands to host: %w", err)
	}
	f, err := l.File()
	l.SetUnlinkOnClose(false)
	return f, errors.Join(err, closed(l))
}

func closed(l *net.UnixListener) error {
	if err := l.Close(); err != nil {
		return fmt.Errorf("close control socket: %w", err)
	}
	return nil
}

// fork starts pid 1 of a host inside its groups and namespaces. The control
// group namespace is unshared by the child itself, after it was born into its
// v2 group by clone and into its v1 groups because the forking thread is in
// them; so the host's groups are the root it sees in every hierarchy.
func (c *controller) fork(m *machine, groups []string, theirs *os.File) (*proc.Process, error) {
	log, err := openLog(c.spec.RunDir, m.spec.Name, "hostinit")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	spec := proc.Spec{
		Path: proc.Self, Args: []string{rolePrefix + roleHostinit}, Env: environment(m.spec.Name), Dir: "/", Stdout: log, Stderr: log, Extra: []*os.File{theirs},
		Attr: &syscall.SysProcAttr{
			Cloneflags:   unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET,
			Unshareflags: unix.CLONE_NEWCGROUP,
			Setsid:       true,
		},
	}
	return forkInto(groups, spec)
}

// forkInto starts a process inside groups, the v2 one first, from a thread of
// its own that calls enter before; what enter changes goes away with the thread.
func forkInto(groups []string, spec proc.Spec, enter ...func() error) (*proc.Process, error) {
	v2, err := os.Open(groups[0])
	if err != nil {
		return nil, fmt.Errorf("open cgroup: %w", err)
	}
	defer v2.Close()
	spec.Attr.UseCgroupFD, spec.Attr.CgroupFD = true, int(v2.Fd())
	type result struct {
		p   *proc.Process
		err error
	}
	done := make(chan result, 1)
	go offMain(func() {
		for _, g := range groups[1:] {
			enter = append(enter, func() error { return cgroup.EnterThread(g) })
		}
		for _, into := range enter {
			if err := into(); err != nil {
				done <- result{err: err}
				return
			}
		}
		p, err := proc.Start(spec)
		done <- result{p, err}
	})
	r := <-done
	return r.p, r.err
}

// offMain runs act on a thread that ends with the calling goroutine, and with it
// whatever act did to the thread. That is never the main thread, which cannot
// end: the whole process is where its main thread is.
func offMain(act func()) {
	runtime.LockOSThread() // never unlocked after act
	if unix.Gettid() != os.Getpid() {
		act()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		offMain(act)
	}()
	<-done // until then the main thread is taken
	runtime.UnlockOSThread()
}
