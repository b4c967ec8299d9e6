package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/firedrill-io/firedrill/internal/proc"
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

// Start starts a command in host, in its namespaces and control groups. It is
// killed when Close is called and when the calling process ends. The caller
// must Wait and Close; the files in s stay the caller's.
func (l *Lab) Start(host string, s HostCommand) (*HostProcess, error) {
	w, err := dialWire(hostSocket(l.state.Dir, host))
	if err != nil {
		return nil, fmt.Errorf("run %s in %s: %w: %w", s.Path, host, ErrHostDark, err)
	}
	req := commandRequest{Path: s.Path, Args: s.Args, Env: s.Env, Dir: s.Dir}
	var files []*os.File
	for i, f := range []*os.File{s.Stdio.In, s.Stdio.Out, s.Stdio.Err} {
		if f != nil {
			req.Stdio[i] = true
			files = append(files, f)
		}
	}
	var ev commandEvent
	if err := w.ask(req, &ev, append(files, s.Extra...)...); err != nil {
		return nil, errors.Join(fmt.Errorf("run %s in %s: %w", s.Path, host, err), w.close())
	}
	if ev.Error != "" {
		return nil, errors.Join(fmt.Errorf("run %s in %s: %s", s.Path, host, ev.Error), w.close())
	}
	p := &HostProcess{pid: ev.PID, wire: w, done: make(chan struct{})}
	go p.follow(host)
	return p, nil
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

// accept serves commands, each on a connection of its own.
func (h *host) accept(l *net.UnixListener) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			h.log.Error("no more commands are taken", "error", err)
			return
		}
		go func() {
			w := newWire(conn)
			defer w.close()
			if err := h.command(w); err != nil && !errors.Is(err, io.EOF) {
				h.log.Error("command", "error", err)
			}
		}()
	}
}

// command runs one command until it ends or the other side is gone.
func (h *host) command(w *wire) error {
	var req commandRequest
	files, err := w.receive(&req)
	if err != nil {
		return err
	}
	p, err := h.spawn(req, files)
	closeFiles(files)
	if err != nil {
		return w.send(commandEvent{Error: err.Error()})
	}
	if err := w.send(commandEvent{PID: p.PID}); err != nil {
		_ = p.Kill()
	}
	var ended sync.WaitGroup
	ended.Go(func() {
		code, _ := h.children.wait(p)
		_ = w.send(commandEvent{Ended: true, Code: code})
		_ = w.close()
	})
	for {
		var s commandSignal
		if _, err := w.receive(&s); err != nil {
			_ = p.Kill()
			break
		}
		_ = p.Signal(s.Signal)
	}
	ended.Wait()
	return nil
}

func (h *host) spawn(req commandRequest, files []*os.File) (*proc.Process, error) {
	path, err := findProgram(req.Path)
	if err != nil {
		return nil, err
	}
	s := proc.Spec{Path: path, Args: req.Args, Env: append(environment(h.boot.Host.Name), req.Env...), Dir: req.Dir}
	if s.Dir == "" {
		s.Dir = "/"
	}
	for i, to := range []**os.File{&s.Stdin, &s.Stdout, &s.Stderr} {
		if !req.Stdio[i] {
			continue
		}
		if len(files) == 0 {
			return nil, errors.New("fewer descriptors came than were said")
		}
		*to, files = files[0], files[1:]
	}
	s.Extra = files
	return h.children.start(s)
}

// findProgram looks for a bare name among the services' programs and in the
// host's folders of programs.
func findProgram(path string) (string, error) {
	if filepath.IsAbs(path) {
		return path, nil
	}
	if strings.Contains(path, "/") {
		return "", fmt.Errorf("find program %s: give a bare name or an absolute path", path)
	}
	for dir := range strings.SplitSeq(HostServices+":"+hostPath, ":") {
		if st, err := os.Stat(filepath.Join(dir, path)); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return filepath.Join(dir, path), nil
		}
	}
	return "", fmt.Errorf("find program %s: it is in none of %s:%s", path, HostServices, hostPath)
}
