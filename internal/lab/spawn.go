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

	"github.com/firedrill-io/firedrill/internal/proc"
)

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
