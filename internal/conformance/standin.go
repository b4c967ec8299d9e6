package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Roles of the program that runs the suite, as first argument.
const (
	roleStandIn = "conformance-agent" // argument: folder for lock and sockets
	roleLister  = "conformance-lister"
)

// standIn is what stands in for the host agent: it starts the plugin where an
// agent would, holds the lock as an agent does, and can be killed like one. It
// is told what to do on stdin and answers on stdout.
type standIn struct {
	dir string

	out sync.Mutex
	enc *json.Encoder

	mu      sync.Mutex
	plugin  *pluginhost.Plugin
	cancels map[uint64]context.CancelFunc
}

func runStandIn(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("start stand-in: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("start stand-in: %w", err)
	}
	defer lock.Close()
	// A plugin whose last agent was killed may be reverting just now.
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("take lock: %w", err)
	}
	s := &standIn{dir: dir, enc: json.NewEncoder(os.Stdout), cancels: map[uint64]context.CancelFunc{}}
	dec := json.NewDecoder(os.Stdin)
	for {
		var r request
		if err := dec.Decode(&r); err != nil {
			s.killPlugin()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("read request: %w", err)
		}
		if r.Op == opCancel {
			s.cancel(r.Cancel)
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		s.mu.Lock()
		s.cancels[r.Seq] = cancel
		s.mu.Unlock()
		go s.answer(ctx, r)
	}
}

func (s *standIn) cancel(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.cancels[seq]; ok {
		c()
	}
}

func (s *standIn) answer(ctx context.Context, r request) {
	rep, err := s.do(ctx, r)
	rep.Seq, rep.Error = r.Seq, fault.AsError(err)
	s.out.Lock()
	defer s.out.Unlock()
	_ = s.enc.Encode(rep) // the reader may be gone, then this process ends too
}

func (s *standIn) do(ctx context.Context, r request) (rep reply, err error) {
	switch r.Op {
	case opLaunch:
		return s.launch(ctx, *r.Launch)
	case opKill:
		time.Sleep(r.At.Sub(fault.Now()))
		s.killPlugin()
		return rep, nil
	}
	p := s.current()
	if p == nil {
		return rep, errors.New("no plugin runs")
	}
	if r.Op == opSignal {
		return rep, unix.Kill(p.PID(), unix.Signal(r.Signal))
	}
	switch r.Op {
	case opDescribe:
		rep.Info, err = p.Describe(ctx)
	case opPrepare:
		rep.Change, err = p.Prepare(ctx, r.Target, r.Params)
	case opApply:
		rep.Applied, err = p.Apply(ctx, r.Items, r.At, r.Until)
	case opObserve:
		rep.Observation, err = p.Observe(ctx, r.Target, r.Change)
	case opRevert:
		err = p.Revert(ctx, r.Target, r.Change)
	default:
		err = fmt.Errorf("no such request: %s", r.Op)
	}
	return rep, err
}

func (s *standIn) current() *pluginhost.Plugin {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plugin
}

func (s *standIn) launch(ctx context.Context, l launchRequest) (reply, error) {
	s.killPlugin()
	p, err := pluginhost.Launch(ctx, pluginhost.Config{
		Kind: l.Kind, Path: l.Path, Args: l.Args, Confined: l.Confined, Capabilities: l.Capabilities,
		Dir: s.dir, Lock: filepath.Join(s.dir, "lock"),
	})
	if err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugin = p
	return reply{PID: p.PID(), Start: p.StartTime()}, nil
}

func (s *standIn) killPlugin() {
	s.mu.Lock()
	p := s.plugin
	s.plugin = nil
	s.mu.Unlock()
	if p != nil {
		p.Kill()
	}
}
