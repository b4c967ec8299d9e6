// Package halt ends a run from outside: through a socket on which a running
// injector listens, for another terminal of its machine, and by halts that are
// signed and sent to the agents directly, for when there is no injector left.
package halt

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// prefix begins the name of every run's socket. The names are abstract
// (unix(7)): they end with their process, so that none is ever stale, whatever
// the process died of.
const prefix = "@firedrill-run-"

// asking bounds how long a client may take to say what it wants.
const asking = 2 * time.Second

// Reply says how the run ended that was asked to halt.
type Reply struct {
	Run        string   `json:"run"`
	Experiment string   `json:"experiment,omitempty"`
	Outcome    string   `json:"outcome,omitempty"`
	Reason     string   `json:"reason,omitempty"`
	Residue    []string `json:"residue,omitempty"`  // what is not as it was found
	Reverted   []string `json:"reverted,omitempty"` // injections that the halt ended
	Report     string   `json:"report,omitempty"`   // folder
	Error      string   `json:"error,omitempty"`    // why the request was turned down
}

type request struct {
	Verb string `json:"verb"`
}

// Server listens for requests to halt one run.
type Server struct {
	listener net.Listener
	ask      func(who string)
	ended    chan struct{}
	reply    Reply
	clients  sync.WaitGroup
}

// Serve listens for run's sake until End. ask is called, more than once if more
// than one asks, with the name of who wants the run halted: the same user as
// this process, or root.
func Serve(run string, ask func(who string)) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", prefix+run)
	if err != nil {
		return nil, fmt.Errorf("listen for a halt: %w", err)
	}
	s := &Server{listener: l, ask: ask, ended: make(chan struct{})}
	s.clients.Go(s.accept)
	return s, nil
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.clients.Go(func() {
			defer func() { _ = conn.Close() }()
			_ = json.NewEncoder(conn).Encode(s.answer(conn)) // who has gone needs no answer
		})
	}
}

func (s *Server) answer(conn net.Conn) Reply {
	who, err := peer(conn)
	if err != nil {
		return Reply{Error: err.Error()}
	}
	var want request
	_ = conn.SetReadDeadline(time.Now().Add(asking))
	if err := json.NewDecoder(bufio.NewReader(conn)).Decode(&want); err != nil || want.Verb != "halt" {
		return Reply{Error: "the only request is to halt"}
	}
	s.ask(who)
	<-s.ended
	_ = conn.SetWriteDeadline(time.Now().Add(asking))
	return s.reply
}

// End answers all that asked, and takes no more requests.
func (s *Server) End(r Reply) {
	s.reply = r
	close(s.ended)
	_ = s.listener.Close()
	s.clients.Wait()
}

// peer names who is at the other end, by what the kernel says of it.
func peer(conn net.Conn) (string, error) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return "", errors.New("not a unix socket")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return "", fmt.Errorf("ask who it is: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil || credErr != nil {
		return "", fmt.Errorf("ask who it is: %w", errors.Join(err, credErr))
	}
	if cred.Uid != 0 && int(cred.Uid) != os.Getuid() {
		return "", fmt.Errorf("only root and the run's own user may halt it, not user %d", cred.Uid)
	}
	name := fmt.Sprintf("user %d", cred.Uid)
	if u, err := user.LookupId(fmt.Sprint(cred.Uid)); err == nil {
		name = u.Username
	}
	return fmt.Sprintf("%s (injector halt, pid %d)", name, cred.Pid), nil
}

// Running lists the runs on this machine, sorted: the names that processes
// listen on, as /proc/net/unix tells (proc_net(5)).
func Running() ([]string, error) {
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, fmt.Errorf("look for runs: %w", err)
	}
	var runs []string
	for line := range strings.Lines(string(table)) {
		if _, run, ok := strings.Cut(strings.TrimSpace(line), prefix); ok {
			runs = append(runs, run)
		}
	}
	slices.Sort(runs)
	return slices.Compact(runs), nil
}

// Ask asks a run on this machine to halt and waits until it has ended.
func Ask(ctx context.Context, run string) (Reply, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", prefix+run)
	if err != nil {
		return Reply{}, fmt.Errorf("reach run %s: %w", run, err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	var r Reply
	if err = json.NewEncoder(conn).Encode(request{Verb: "halt"}); err == nil {
		err = json.NewDecoder(bufio.NewReader(conn)).Decode(&r)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("ask run %s to halt: %w", run, err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("ask run %s to halt: %s", run, r.Error)
	}
	return r, nil
}
