package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"
)

const drivers = 64 // on the road

// errTaken says that somebody wrote under the same subject in between.
const errTaken jetstream.ErrorCode = 10071 // wrong last sequence

// ride is a call and the driver who took it.
type ride struct {
	Driver int    `json:"driver"`
	From   string `json:"from"`
}

// taxi takes calls and gives each a driver. A driver is taken in the active store
// by compare-and-set, so two desks never send the same one to two people at once.
//
//	POST /calls   201 with the driver
func taxi(ctx context.Context, args []string, log *slog.Logger) error {
	return atDesk(ctx, "taxi", args, log, opening{routes: func(_ context.Context, d *desk) error {
		d.mux.HandleFunc("POST /calls", d.call)
		return nil
	}})
}

func (d *desk) call(w http.ResponseWriter, r *http.Request) {
	var one ride
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&one); err != nil || one.From == "" {
		http.Error(w, "call a taxi: the body must be {\"from\": \"place\"}", http.StatusBadRequest)
		return
	}
	s, epoch, err := d.active()
	if err == nil {
		one, err = s.dispatch(r.Context(), one, epoch)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusCreated, one)
}

// dispatch takes a driver nobody else has taken since we looked; three tries.
func (s *store) dispatch(ctx context.Context, one ride, epoch int64) (ride, error) {
	var err error
	for range 3 {
		one.Driver = rand.IntN(drivers)
		topic := fmt.Sprintf("taxi.driver.%d", one.Driver)
		var seq uint64
		m, lerr := s.last(ctx, s.name+"."+topic)
		switch {
		case lerr == nil:
			seq = m.Sequence
		case !errors.Is(lerr, jetstream.ErrMsgNotFound):
			return one, fmt.Errorf("find a driver: %w", lerr)
		}
		data, merr := json.Marshal(one)
		if merr != nil {
			return one, merr
		}
		err = s.publish(ctx, topic, data, "", epoch, jetstream.WithExpectLastSequencePerSubject(seq))
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != errTaken {
			break
		}
	}
	return one, err
}
