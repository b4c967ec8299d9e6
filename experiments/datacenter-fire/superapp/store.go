package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	stream      = "TALK" // the one stream of every store; each store has its own subjects
	epochHeader = "Fire-Epoch"
	publishWait = 800 * time.Millisecond // less than a client waits, so that it hears a no
	readers     = 16                     // concurrent reads by sequence
)

// idInProcess is the store's answer to a second sending while the first has no
// majority yet; asking again tells how that ended.
const idInProcess jetstream.ErrorCode = 10158

// store is a connection to one store.
type store struct {
	site
	nc *nats.Conn
	js jetstream.JetStream
}

// openStore connects in the background. A publish while disconnected fails at
// once (no reconnect buffer), because it must not be sent behind the client's back;
// a dark server is noticed after two pings.
func openStore(s site, log *slog.Logger) (*store, error) {
	urls := make([]string, len(s.servers))
	for i, h := range s.servers {
		urls[i] = "nats://" + h
	}
	opts := nats.GetDefaultOptions()
	opts.Servers, opts.Name = urls, "superapp"
	opts.MaxReconnect, opts.RetryOnFailedConnect = -1, true
	opts.ReconnectWait, opts.ReconnectJitter = 100*time.Millisecond, 100*time.Millisecond
	opts.Timeout, opts.PingInterval, opts.MaxPingsOut = 500*time.Millisecond, 500*time.Millisecond, 2
	opts.ReconnectBufSize = -1
	opts.IgnoreDiscoveredServers = true // only the servers of this store, in the order given
	opts.ReconnectedCB = func(nc *nats.Conn) { log.Info("connected", "store", s.name, "server", nc.ConnectedUrl()) }
	opts.DisconnectedErrCB = func(_ *nats.Conn, err error) { log.Info("disconnected", "store", s.name, "error", err) }
	nc, err := opts.Connect()
	if err != nil {
		return nil, fmt.Errorf("connect to store %s: %w", s.name, err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect to store %s: %w", s.name, err)
	}
	return &store{site: s, nc: nc, js: js}, nil
}

func openStores(all sites, log *slog.Logger) (map[string]*store, error) {
	open := map[string]*store{}
	for _, s := range all {
		one, err := openStore(s, log)
		if err != nil {
			closeStores(open)
			return nil, err
		}
		open[s.name] = one
	}
	return open, nil
}

func closeStores(open map[string]*store) {
	for _, s := range open {
		s.nc.Close()
	}
}

// publish stores data under this store's own subject and returns after the
// store's acknowledgement. An id lets the store drop a second sending of the
// same message; it does not survive a promotion, so readers drop repeats too.
func (s *store) publish(ctx context.Context, topic string, data []byte, id string, epoch int64, more ...jetstream.PublishOpt) error {
	ctx, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	m := nats.NewMsg(s.name + "." + topic)
	m.Data = data
	m.Header.Set(epochHeader, strconv.FormatInt(epoch, 10))
	opts := append(more, jetstream.WithRetryAttempts(0), jetstream.WithExpectStream(stream))
	if id != "" {
		opts = append(opts, jetstream.WithMsgID(id))
	}
	for {
		_, err := s.js.PublishMsg(ctx, m, opts...)
		if err == nil {
			return nil
		}
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != idInProcess || ctx.Err() != nil {
			return fmt.Errorf("store in %s: %w", s.name, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// last reads the newest message under a subject, which may have wildcards;
// jetstream.ErrMsgNotFound when there is none.
func (s *store) last(ctx context.Context, subject string) (*jetstream.RawStreamMsg, error) {
	ctx, cancel := context.WithTimeout(ctx, toolWait)
	defer cancel()
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name, err)
	}
	m, err := st.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name, err)
	}
	return m, nil
}

// all reads every message in stored order, each by its sequence: a consumer may
// come back short after a power loss and would fake one.
func (s *store) all(ctx context.Context) ([]*jetstream.RawStreamMsg, error) {
	// A question that a leader took with it into its end is never answered, so it
	// must not have all the time there is.
	ictx, stop := context.WithTimeout(ctx, 2*time.Second)
	st, err := s.js.Stream(ictx, stream)
	stop()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.name, err)
	}
	state := st.CachedInfo().State
	if state.Msgs == 0 {
		return nil, nil
	}
	msgs := make([]*jetstream.RawStreamMsg, state.LastSeq-state.FirstSeq+1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int, len(msgs))
	for i := range msgs {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for i := range next {
				m, err := one(ctx, st, state.FirstSeq+uint64(i))
				if err != nil {
					cancel(fmt.Errorf("read %s, message %d: %w", s.name, state.FirstSeq+uint64(i), err))
					return
				}
				msgs[i] = m
			}
		})
	}
	wg.Wait()
	return msgs, context.Cause(ctx)
}

// one reads one message, nil when the store has none under that sequence.
func one(ctx context.Context, st jetstream.Stream, seq uint64) (*jetstream.RawStreamMsg, error) {
	for try := 1; ; try++ {
		tctx, cancel := context.WithTimeout(ctx, time.Second)
		m, err := st.GetMsg(tctx, seq)
		cancel()
		switch {
		case err == nil:
			return m, nil
		case errors.Is(err, jetstream.ErrMsgNotFound):
			return nil, nil
		case try == 3 || ctx.Err() != nil:
			return nil, err
		}
	}
}
