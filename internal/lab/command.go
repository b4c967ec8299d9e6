package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// commandRequest starts a command in a host. Descriptors come along: those of
// Stdio that are set, in order, then Extra.
type commandRequest struct {
	Path  string
	Args  []string
	Env   []string
	Dir   string
	Stdio [3]bool
}

// commandEvent says that a command started, ended, or could not start.
type commandEvent struct {
	PID   int    // in the host; only in the first event
	Ended bool   // Code is set
	Code  int    // 128 + n when signal n ended it
	Error string // not started
}

// commandSignal is a signal to be sent to a running command.
type commandSignal struct {
	Signal syscall.Signal
}

// HostProcess is a command that runs in a host.
type HostProcess struct {
	pid  int
	wire *wire

	done chan struct{} // closed when code and err are set
	code int
	err  error
}

// ErrHostDark says that a host is off.
var ErrHostDark = errors.New("host is dark")

// startLimit bounds how long a host may take to start a command: one that
// stands still never answers.
const startLimit = 30 * time.Second

// Start starts a command in host, in its namespaces and control groups. It is
// killed when Close is called and when the calling process ends. The caller
// must Wait and Close; the files in s stay the caller's. ErrHostDark if the
// host is off.
func (l *Lab) Start(host string, s HostCommand) (*HostProcess, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	return l.start(ctx, host, s)
}

func (l *Lab) start(ctx context.Context, host string, s HostCommand) (*HostProcess, error) {
	if !slices.Contains(l.state.Hosts, host) {
		return nil, fmt.Errorf("run %s in %s: lab %s has no such host (hosts: %s)", s.Path, host, l.state.ID, strings.Join(l.state.Hosts, ", "))
	}
	w, err := dialWire(hostSocket(l.state.Dir, host))
	if err != nil {
		return nil, fmt.Errorf("run %s in %s: %w: %w", s.Path, host, ErrHostDark, err)
	}
	ev, err := request(ctx, w, s)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run %s in %s: %w", s.Path, host, err), w.close())
	}
	p := &HostProcess{pid: ev.PID, wire: w, done: make(chan struct{})}
	go p.follow(host)
	return p, nil
}

// request asks hostinit to start a command and waits until it has.
func request(ctx context.Context, w *wire, s HostCommand) (commandEvent, error) {
	req := commandRequest{Path: s.Path, Args: s.Args, Env: s.Env, Dir: s.Dir}
	var files []*os.File
	for i, f := range []*os.File{s.Stdio.In, s.Stdio.Out, s.Stdio.Err} {
		if f != nil {
			req.Stdio[i] = true
			files = append(files, f)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = w.c.SetDeadline(time.Unix(1, 0)) })
	var ev commandEvent
	err := w.ask(req, &ev, append(files, s.Extra...)...)
	if !stop() {
		if err != nil {
			return ev, fmt.Errorf("the host does not answer: %w", ctx.Err())
		}
		_ = w.c.SetDeadline(time.Time{}) // it came too late
	}
	if errors.Is(err, io.EOF) {
		return ev, fmt.Errorf("%w: %w", ErrHostDark, err)
	}
	if err == nil && ev.Error != "" {
		err = errors.New(ev.Error)
	}
	return ev, err
}

// follow waits for the end of the command or of its host.
func (p *HostProcess) follow(host string) {
	defer close(p.done)
	var ev commandEvent
	if _, err := p.wire.receive(&ev); err != nil {
		p.code = 128 + int(syscall.SIGKILL)
		if !errors.Is(err, net.ErrClosed) {
			p.err = fmt.Errorf("wait for command in %s: %w: %w", host, ErrHostDark, err)
		}
		return
	}
	p.code = ev.Code
}

// PID is the process in the host's own pid namespace.
func (p *HostProcess) PID() int { return p.pid }

// Wait waits for the end and returns the exit code; 128 + n when signal n ended
// it. ErrHostDark when the host went dark meanwhile.
func (p *HostProcess) Wait() (int, error) {
	<-p.done
	return p.code, p.err
}

// Signal sends sig. A command that has ended is left alone.
func (p *HostProcess) Signal(sig syscall.Signal) error {
	return p.wire.send(commandSignal{Signal: sig})
}

// Kill sends SIGKILL.
func (p *HostProcess) Kill() error { return p.Signal(syscall.SIGKILL) }

// Close kills the command if it still runs and lets go of it.
func (p *HostProcess) Close() error {
	err := p.wire.close()
	<-p.done
	return err
}
