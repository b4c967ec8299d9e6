package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/proc"
)

// supervisor takes its lab down when the owner is gone, and keeps the
// out-of-band agents running. It stays in the machine's own namespaces.
type supervisor struct {
	spec  labSpec
	log   *slog.Logger
	state State
	// power is held as long as the lab is up: when this end is closed, also by
	// the garbage collector, the power role takes the lab down.
	power *wire

	agents sync.Once
}

// supervise is the supervisor role.
func supervise(w *wire, log *slog.Logger) error {
	s := &supervisor{log: log}
	if _, err := w.receive(&s.spec); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	owner, err := s.watchOwner(cancel)
	if err != nil {
		return errors.Join(err, w.send(outcome{Error: err.Error()}))
	}
	defer owner.Close()
	var serving sync.WaitGroup
	err = s.raise(ctx, cancel, &serving)
	if err != nil {
		err = errors.Join(err, w.send(outcome{Error: err.Error()}))
	} else {
		err = w.send(outcome{})
	}
	if err == nil {
		<-ctx.Done()
		log.Info("taking the lab down", "cause", context.Cause(ctx))
	}
	cancel()
	if s.power != nil {
		_ = s.power.close() // the power role ends by this, or by takeDown
	}
	return errors.Join(err, takeDown(s.state))
}

// watchOwner calls cancel when the owner ends. A standing lab is its supervisor's own.
func (s *supervisor) watchOwner(cancel func()) (*os.File, error) {
	me, err := self()
	if err != nil {
		return nil, err
	}
	if s.state, err = readState(s.spec.Dir); err != nil {
		return nil, err
	}
	s.state.Supervisor = me
	if s.spec.Standing {
		s.state.Owner = me
	}
	if err := s.state.write(); err != nil {
		return nil, err
	}
	if s.spec.Standing {
		return os.Open(os.DevNull)
	}
	f, err := proc.OpenPidfd(s.spec.Owner.PID, s.spec.Owner.Start)
	if err != nil {
		return nil, fmt.Errorf("watch owner of lab: %w", err)
	}
	go func() {
		waitPidfd(f)
		cancel()
	}()
	return f, nil
}

// waitPidfd returns when the process has ended.
func waitPidfd(f *os.File) {
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(fds, -1); n > 0 || (err != nil && err != unix.EINTR) {
			return
		}
	}
}

// raise makes the groups, starts the power role and waits until all hosts are up.
func (s *supervisor) raise(ctx context.Context, cancel func(), serving *sync.WaitGroup) error {
	if err := s.enterScope(); err != nil {
		return err
	}
	if err := raiseGroups(s.spec); err != nil {
		return err
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	log, err := appendTo(filepath.Join(s.spec.Dir, "power.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p, err := proc.Start(proc.Spec{
		Path: proc.Self, Args: []string{rolePrefix + rolePower}, Dir: "/", Stdout: log, Stderr: log, Extra: []*os.File{theirs},
		Attr: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET, Setsid: true},
	})
	if err != nil {
		return err
	}
	go func() {
		_, _ = p.Wait()
		cancel()
	}()
	_ = theirs.Close()
	s.power = ours
	s.state.Power = process{p.PID, p.StartTime}
	if err := s.state.write(); err != nil {
		return err
	}
	var up outcome
	if err := ours.ask(s.spec, &up); err != nil {
		return fmt.Errorf("raise hosts: %w", err)
	}
	if up.Error != "" {
		return errors.New(up.Error)
	}
	return serveOrders(ctx, serving, roleSocket(s.spec.Dir, roleSupervisor), func(ctx context.Context, op string) error {
		if op != orderAgents {
			return fmt.Errorf("unknown order %q", op)
		}
		s.agents.Do(func() { s.startAgents(ctx) })
		return nil
	})
}
