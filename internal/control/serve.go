package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Handler carries out verified commands. Calls come concurrently: a halt never
// waits for a prepare. The reply is encoded as the verb's reply type.
type Handler interface {
	Handle(ctx context.Context, c Command) (reply any, err error)
}

// AgentOptions says who an agent is and where its broker is.
type AgentOptions struct {
	Name     string // of the agent: the host, or oob-<rack>
	URL      string // nats://…, tls://… or unix:///path
	Keys     string // folder with command.pub and agent.nk
	StateDir string // for the remembered command ids
	// Spool is pumped to the injector; nil: no evidence is sent.
	Spool  *Spool
	Logger *slog.Logger
}

// reply answers a command.
type reply struct {
	Body  json.RawMessage `json:"body,omitempty"`
	Error *RemoteError    `json:"error,omitempty"`
}

// Serve connects to the broker, verifies commands, hands them to h and pumps
// the spool, until ctx ends; then it waits for running handlers. It starts
// whether or not the broker can be reached. Keys are read at each start; a
// wrong signature, addressee, age or repeat is answered with an error and
// never reaches h.
func Serve(ctx context.Context, o AgentOptions, h Handler) error {
	key, err := ReadCommandPub(o.Keys)
	if err != nil {
		return err
	}
	verifier, err := NewVerifier(o.Name, key, o.StateDir)
	if err != nil {
		return err
	}
	user, err := NkeyOption(filepath.Join(o.Keys, AgentNK))
	if err != nil {
		return err
	}
	var more []nats.Option
	if user != nil {
		more = append(more, user)
	}
	nc, err := Dial(o.URL, o.Name, o.Logger, more...)
	if err != nil {
		return err
	}
	defer nc.Close()
	s := &server{AgentOptions: o, nc: nc, verifier: verifier, handler: h}
	return s.run(ctx)
}

type server struct {
	AgentOptions
	nc       *nats.Conn
	verifier *Verifier
	handler  Handler
	running  sync.WaitGroup
}

func (s *server) run(ctx context.Context) error {
	commands := make(chan *nats.Msg, 64)
	if _, err := s.nc.ChanSubscribe(SubjectCommands+Token(s.Name), commands); err != nil {
		return fmt.Errorf("subscribe to commands: %w", err)
	}
	defer s.running.Wait()
	if s.Spool != nil {
		s.running.Go(func() { s.pump(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-commands:
			s.running.Go(func() { s.answer(ctx, m) })
		}
	}
}

func (s *server) answer(ctx context.Context, m *nats.Msg) {
	var r reply
	body, err := s.handle(ctx, m.Data)
	if err == nil {
		r.Body, err = json.Marshal(body)
	}
	if err != nil {
		r = reply{Error: asRemote(s.Name, err)}
		s.Logger.Warn("command refused", "error", err)
	}
	b, err := json.Marshal(r)
	if err == nil {
		err = m.Respond(b)
	}
	if err != nil && !errors.Is(err, nats.ErrMsgNoReply) {
		s.Logger.Warn("answer command", "error", err)
	}
}

func (s *server) handle(ctx context.Context, data []byte) (any, error) {
	c, err := s.verifier.Verify(data)
	if err != nil {
		return nil, err
	}
	// A halt may come from elsewhere: the evidence still belongs to the run.
	if s.Spool != nil && c.Verb != VerbHalt {
		if err := s.Spool.Follow(c.Run); err != nil && !safer(c.Verb) {
			return nil, err
		}
	}
	// The work outlives a broken connection, but not the agent.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return s.handler.Handle(ctx, c)
}
