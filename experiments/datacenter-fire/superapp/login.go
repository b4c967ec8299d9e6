package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/nats-io/nats.go/jetstream"
)

// session is what a login leaves in the active store and in the cache.
type session struct {
	User  string `json:"user"`
	Token string `json:"token"`
}

// counter hands out sessions. It needs the user's shard of the cache, where the
// user's other sessions stand, and the active store.
type counter struct {
	*desk
	where *compass // which map of the cache counts
	maps  cacheMaps
}

// login hands out sessions: it looks up the user's last one in the cache, stores
// the new one and reads it back before it answers, so that a session nobody
// could check later is never given out.
//
//	POST /login                  201 with the session
//	GET  /cache, POST /override/cache which map of the cache counts; its door
func login(ctx context.Context, args []string, log *slog.Logger) error {
	c := counter{maps: cacheMaps{}}
	return atDesk(ctx, "login", args, log, opening{
		flags: func(f *flag.FlagSet) {
			f.Var(c.maps, "cache", "the cache's shards while the company is active at a site: site=host+host,host+host (may be repeated)")
		},
		routes: func(ctx context.Context, d *desk) error {
			var err error
			c.desk = d
			c.where, err = d.watch(ctx, ofCache)
			d.mux.HandleFunc("POST /login", c.login)
			return err
		},
	})
}

func (c *counter) login(w http.ResponseWriter, r *http.Request) {
	var s session
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&s); err != nil || !conversationName.MatchString(s.User) {
		http.Error(w, "log in: the body must be {\"user\": \"name\"}", http.StatusBadRequest)
		return
	}
	s.Token = rand.Text()
	if err := c.admit(r.Context(), s); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusCreated, s)
}

// admit looks the user up, in the store when the cache has forgotten them, and
// keeps the new session in both.
func (c *counter) admit(ctx context.Context, s session) error {
	at, epoch, err := c.active()
	if err != nil {
		return err
	}
	if len(c.maps) == 0 {
		return at.keep(ctx, s, epoch)
	}
	a, err := c.where.now()
	if err != nil {
		return err
	}
	shard, err := c.maps.shard(a.Site, s.User)
	if err != nil {
		return err
	}
	known, err := shard.look(ctx, s.User)
	if err != nil {
		return err
	}
	if !known {
		if _, err := at.newest(ctx, s.User); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return err
		}
	}
	if err := at.keep(ctx, s, epoch); err != nil {
		return err
	}
	return shard.put(ctx, s)
}

// keep stores the session and reads back the user's newest.
func (s *store) keep(ctx context.Context, one session, epoch int64) error {
	data, err := json.Marshal(one)
	if err != nil {
		return err
	}
	if err := s.publish(ctx, "login."+one.User, data, "", epoch); err != nil {
		return err
	}
	newest, err := s.newest(ctx, one.User)
	if err != nil {
		return err
	}
	if newest.User != one.User || newest.Token == "" {
		return errors.New("read the session: another one came back")
	}
	return nil
}

// newest reads the user's last session from the store, whichever site wrote it:
// a promoted mirror holds what the other site wrote under that one's subjects.
func (s *store) newest(ctx context.Context, user string) (session, error) {
	var newest session
	m, err := s.last(ctx, "*.login."+user)
	if err != nil {
		return newest, fmt.Errorf("read the session in %s: %w", s.name, err)
	}
	if err := json.Unmarshal(m.Data, &newest); err != nil {
		return newest, fmt.Errorf("read the session in %s: %w", s.name, err)
	}
	return newest, nil
}
