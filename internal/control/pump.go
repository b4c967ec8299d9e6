package control

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
)

// batchSize is how many events one message carries at most.
const batchSize = 64

// batch is evidence on its way to the injector, answered by an acked.
type batch struct {
	Agent   string    `json:"agent"`
	Events  []Spooled `json:"events"`
	Dropped uint64    `json:"dropped,omitempty"` // events a full spool could not keep
}

// acked says that the injector has written everything up to Seq to its run log.
type acked struct {
	Seq uint64 `json:"seq"`
}

// pump sends spooled evidence whenever there is some and someone listens.
func (s *server) pump(ctx context.Context) {
	retry := time.NewTicker(time.Second)
	defer retry.Stop()
	for {
		for s.nc.IsConnected() && s.pumpOnce(ctx) {
		}
		select {
		case <-ctx.Done():
			s.flush()
			return
		case <-s.Spool.wake:
		case <-retry.C:
		}
	}
}

// flush gives the last evidence of an ending agent one chance.
func (s *server) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	for s.nc.IsConnected() && s.pumpOnce(ctx) {
	}
}

// pumpOnce sends one batch of each run and says whether more may be sent at once.
func (s *server) pumpOnce(ctx context.Context) bool {
	more := false
	for run, b := range s.Spool.batches() {
		seq, err := s.send(ctx, run, b)
		if errors.Is(err, nats.ErrNoResponders) {
			continue // an earlier run whose injector is gone
		}
		if err != nil {
			s.Logger.Debug("send evidence", "run", run, "error", err)
			continue
		}
		if err := s.Spool.ack(run, seq); err != nil {
			s.Logger.Warn("acknowledge evidence", "run", run, "error", err)
		}
		more = true
	}
	return more && ctx.Err() == nil
}

func (s *server) send(ctx context.Context, run string, b batch) (uint64, error) {
	b.Agent = s.Name
	for i := range b.Events {
		b.Events[i].Agent = s.Name
	}
	data, err := json.Marshal(b)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	m, err := s.nc.RequestWithContext(ctx, SubjectEvidence+run+"."+Token(s.Name), data)
	if err != nil {
		return 0, err
	}
	var a acked
	return a.Seq, json.Unmarshal(m.Data, &a)
}

// batches returns what is unacknowledged, by run.
func (s *Spool) batches() map[string]batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]batch{}
	if s.load() != nil {
		return out // the next Append says why
	}
	for run, f := range s.runs {
		if events := f.batch(batchSize); len(events) > 0 {
			out[run] = batch{Events: events, Dropped: f.dropped}
		}
	}
	return out
}

func (s *Spool) ack(run string, seq uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.runs[run]; f != nil {
		return f.ack(seq)
	}
	return nil
}
