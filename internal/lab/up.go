package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/firedrill-io/firedrill/internal/durable"
	"github.com/firedrill-io/firedrill/internal/proc"
)

// ErrNotRoot says that a lab was asked for without root.
var ErrNotRoot = errors.New("a lab needs root")

// Allowed returns ErrNotRoot if this process may not raise a lab.
func Allowed() error {
	if os.Getuid() != 0 {
		return fmt.Errorf("raise lab: %w: run it as root", ErrNotRoot)
	}
	return nil
}

// Up raises a lab: all hosts are booted when it returns, services and agents
// are not started yet. The caller must Down. A lab that could not be raised is
// taken down again. Before that, labs whose owner is gone are removed.
func Up(ctx context.Context, cfg Config) (*Lab, error) {
	if err := Allowed(); err != nil {
		return nil, err
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if err := Janitor(); err != nil {
		log.Warn("an old lab could not be removed", "error", err)
	}
	began := time.Now()
	spec, state, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	l := &Lab{state: state}
	if err := l.raise(ctx, spec); err != nil {
		return nil, errors.Join(fmt.Errorf("raise lab %s: %w", spec.ID, err), l.Down())
	}
	log.Info("lab is up", "lab", l.ID(), "hosts", len(spec.Hosts), "took", time.Since(began))
	return l, nil
}

// prepare lays the lab out and makes its folder with the state file, so that
// everything that follows can be found and removed.
func prepare(cfg Config) (labSpec, State, error) {
	var err error
	for _, path := range []*string{&cfg.Dir, &cfg.Services, &cfg.HostAgent, &cfg.Plugins} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return labSpec{}, State{}, fmt.Errorf("raise lab: %w", err)
		}
	}
	id := newID()
	dir := filepath.Join(base, id)
	spec, err := lay(cfg, id, dir)
	if err != nil {
		return spec, State{}, err
	}
	if spec.Hierarchies, err = hierarchies(); err != nil {
		return spec, State{}, fmt.Errorf("raise lab: %w", err)
	}
	spec.Scope = scopeOf(id, spec.Hierarchies[0])
	if spec.Owner, err = self(); err != nil {
		return spec, State{}, err
	}
	state := State{
		ID: id, Dir: dir, UID: user(), Owner: spec.Owner, Standing: cfg.Standing,
		Groups: labGroups(id, spec.Hierarchies), Scope: spec.Scope, Images: imagesDir(dir) + "/",
	}
	for _, h := range spec.Hierarchies {
		if h.Version == 1 && slices.Contains(h.Controllers, "freezer") {
			state.Freezers = append(state.Freezers, filepath.Join(h.Mount, groupName(id)))
		}
	}
	for _, h := range spec.Hosts {
		state.Hosts = append(state.Hosts, h.Name)
	}
	return spec, state, makeFolder(spec, state, cfg.Keys)
}

// makeFolder makes the lab's folder. The folder above may be removed by
// another lab's take-down at the same moment.
func makeFolder(spec labSpec, state State, keys string) error {
	var err error
	for range 10 {
		if err = os.MkdirAll(state.Dir, 0o700); err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make folder of lab: %w", err)
	}
	if err := state.write(); err != nil {
		return err
	}
	for _, dir := range []string{"mgmt", "images", "hosts", "agents", "root"} {
		if err := os.Mkdir(filepath.Join(state.Dir, dir), 0o700); err != nil {
			return fmt.Errorf("make folder of lab: %w", err)
		}
	}
	if err := durable.WriteFile(hostsFile(state.Dir), []byte(hostsTable(spec)), 0o644); err != nil {
		return err
	}
	return copyKeys(keys, mgmtDir(state.Dir))
}

func copyKeys(from, to string) error {
	if from == "" {
		return nil
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("copy keys: %w", err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			return fmt.Errorf("copy keys: %w", err)
		}
		if err := durable.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// raise starts the supervisor and waits until it says that all hosts are up.
func (l *Lab) raise(ctx context.Context, spec labSpec) error {
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	defer ours.close()
	defer theirs.Close()
	log, err := appendTo(filepath.Join(spec.Dir, "supervisor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p, err := proc.Start(proc.Spec{
		Path: proc.Self, Args: []string{rolePrefix + roleSupervisor}, Dir: "/", Stdout: log, Stderr: log, Extra: []*os.File{theirs},
		Attr: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	_ = theirs.Close()
	l.state.Supervisor = process{p.PID, p.StartTime}
	// Waited for, so that it does not stay as a zombie after Down.
	l.supervisor = make(chan struct{})
	go func() {
		_, _ = p.Wait()
		close(l.supervisor)
	}()
	stop := context.AfterFunc(ctx, func() { _ = ours.c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var up outcome
	if err := ours.ask(spec, &up); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	if up.Error != "" {
		return errors.New(up.Error)
	}
	state, err := readState(spec.Dir)
	if err != nil {
		return err
	}
	l.state = state
	return nil
}

// StartServices starts the services on all hosts. From then on they start by
// themselves at every power-on, and again after they ended.
func (l *Lab) StartServices(ctx context.Context) error {
	return give(ctx, roleSocket(l.state.Dir, rolePower), orderServices)
}

// StartAgents starts the in-band agents, which start again at every power-on,
// and the out-of-band ones. Without Config.HostAgent there are none.
func (l *Lab) StartAgents(ctx context.Context) error {
	return errors.Join(
		give(ctx, roleSocket(l.state.Dir, rolePower), orderAgents),
		give(ctx, roleSocket(l.state.Dir, roleSupervisor), orderAgents),
	)
}

// Settle writes everything unsynced of all hosts to their disks (syncfs(2)).
// Data made seconds before a cut would otherwise be lost as a whole and make
// the loss look greater than it is.
func (l *Lab) Settle(ctx context.Context) error {
	return give(ctx, roleSocket(l.state.Dir, rolePower), orderSettle)
}

// MgmtDir is the folder that every host sees at HostMgmt.
func (l *Lab) MgmtDir() string { return mgmtDir(l.state.Dir) }

// PowerSocket is the socket of the power controller, for root alone.
func (l *Lab) PowerSocket() string { return powerSocket(l.state.Dir) }

// FabricNS is the path of the fabric's network namespace.
func (l *Lab) FabricNS() string { return fmt.Sprintf("/proc/%d/ns/net", l.state.Power.PID) }

// Groups lists the lab's control groups, one in every hierarchy, v2 first.
func (l *Lab) Groups() []string { return slices.Clone(l.state.Groups) }

// Hosts lists the names of the hosts in the inventory's order.
func (l *Lab) Hosts() []string { return slices.Clone(l.state.Hosts) }

// ImagePath is the image of one of a host's file systems, e.g. /data, as a path
// that the machine can open while the lab is up.
func (l *Lab) ImagePath(host, mount string) string {
	return filepath.Join("/proc", fmt.Sprint(l.state.Power.PID), "root", image(l.state.Dir, host, filepath.Base(mount)))
}

// Down takes the lab down: nothing of it is left when it returns nil.
func (l *Lab) Down() error {
	if s, err := readState(l.state.Dir); err == nil {
		l.state = s
	}
	err := takeDown(l.state)
	if l.supervisor != nil {
		<-l.supervisor
	}
	if err != nil {
		return fmt.Errorf("take lab %s down: %w", l.state.ID, err)
	}
	return nil
}
