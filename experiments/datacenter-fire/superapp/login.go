package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
)

// session is what a login leaves in the active store.
type session struct {
	User  string `json:"user"`
	Token string `json:"token"`
}

// login hands out sessions: it stores one and reads it back before it answers,
// so that a session nobody could check later is never given out.
//
//	POST /login    201 with the session
func login(ctx context.Context, args []string, log *slog.Logger) error {
	mux := http.NewServeMux()
	return atDesk(ctx, "login", args, log, mux, nil, func(d *desk) {
		mux.HandleFunc("POST /login", d.login)
	})
}

func (d *desk) login(w http.ResponseWriter, r *http.Request) {
	var s session
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&s); err != nil || !conversationName.MatchString(s.User) {
		http.Error(w, "log in: the body must be {\"user\": \"name\"}", http.StatusBadRequest)
		return
	}
	s.Token = rand.Text()
	at, epoch, err := d.active()
	if err == nil {
		err = at.keep(r.Context(), s, epoch)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	answer(w, http.StatusCreated, s)
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
	ctx, cancel := context.WithTimeout(ctx, toolWait)
	defer cancel()
	st, err := s.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("read the session in %s: %w", s.name, err)
	}
	m, err := st.GetLastMsgForSubject(ctx, s.name+".login."+one.User)
	if err != nil {
		return fmt.Errorf("read the session in %s: %w", s.name, err)
	}
	var newest session
	if err := json.Unmarshal(m.Data, &newest); err != nil || newest.User != one.User || newest.Token == "" {
		return errors.New("read the session: another one came back")
	}
	return nil
}
