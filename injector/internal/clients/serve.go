package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// Serve obeys the runner on conn until it closes or ctx ends, and returns when
// every request has ended. A closed connection is the normal end, not an error.
func Serve(ctx context.Context, conn io.ReadWriteCloser, clock probe.Clock, logger *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &server{clock: clock, logger: logger, out: newStream(conn)}
	unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
	err := s.obey(ctx, bufio.NewReader(conn))
	cancel()
	s.probes.stop()
	s.ledgers.stop()
	s.loads.stop()
	s.fetches.Wait()
	unhook()
	return errors.Join(err, s.out.close(), ignoreClosed(conn.Close()))
}

type server struct {
	clock   probe.Clock
	logger  *slog.Logger
	out     *stream
	probes  group
	ledgers group
	loads   loads
	fetches sync.WaitGroup
	started bool
}

// obey reads commands until the connection ends.
func (s *server) obey(ctx context.Context, in *bufio.Reader) error {
	for {
		raw, err := in.ReadBytes('\n')
		if err != nil {
			return ignoreClosed(err)
		}
		var c command
		if err := json.Unmarshal(raw, &c); err != nil {
			return fmt.Errorf("read command: %w", err)
		}
		s.do(ctx, c)
	}
}

// do runs one command; what takes long runs beside the reading of the next.
func (s *server) do(ctx context.Context, c command) {
	s.logger.Debug("command", "verb", c.Verb, "id", c.ID)
	answer := func(body string, err error) {
		r := reply{ID: c.ID, Body: body}
		if err != nil {
			r.Error = err.Error()
		}
		s.out.send(line{Reply: &r})
	}
	switch c.Verb {
	case startAll:
		answer("", s.start(ctx, c.Config))
	case begin:
		s.loads.tell(c.T0)
		answer("", nil)
	case stopAll:
		s.fetches.Go(func() { s.loads.stop(); s.ledgers.stop(); s.probes.stop(); answer("", nil) })
	case fetch:
		s.fetches.Go(func() { answer(get(ctx, c.URLs)) })
	default:
		answer("", fmt.Errorf("obey %q: no such command", c.Verb))
	}
}

func (s *server) start(ctx context.Context, c *Config) error {
	if s.started || c == nil {
		return errors.New("start clients: already started, or no configuration given")
	}
	if err := c.check(); err != nil {
		return err
	}
	s.started = true
	limit := c.LateAfter
	if limit <= 0 {
		limit = DefaultLateAfter
	}
	late := func(due, done int64) {
		if done-due > int64(limit) {
			w := probe.LateWindow(due, done)
			s.out.send(line{Late: &w})
		}
	}
	probes := s.probes.begin(ctx)
	s.probes.Go(func() { beat(probes, s.clock, late) })
	for _, spec := range c.Probes {
		s.probes.Go(func() {
			probe.Run(probes, spec, s.clock, func(sample probe.Sample) {
				late(sample.Due, sample.Start)
				s.out.send(line{Sample: &sample})
			})
		})
	}
	ledgers := s.ledgers.begin(ctx)
	for _, spec := range c.Ledgers {
		s.ledgers.Go(func() {
			ledger.Run(ledgers, spec, s.clock, func(w ledger.Write) {
				late(w.Due, w.Start)
				s.out.send(line{Write: &w})
			})
		})
	}
	s.runLoads(ctx, c.Loads)
	return nil
}

// pulse is how often the process checks that it gets to run at all: a stall
// while answers are awaited would else look like the service's time-outs.
const pulse = 20 * time.Millisecond

func beat(ctx context.Context, clock probe.Clock, late func(due, done int64)) {
	ticker := time.NewTicker(pulse)
	defer ticker.Stop()
	last := clock()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			now := clock()
			late(last+int64(pulse), now)
			last = now
		}
	}
}
