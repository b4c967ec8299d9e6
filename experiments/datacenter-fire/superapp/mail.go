package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

const indexLength = 20 // newest mails that a mailbox shows first

// mail is webmail: it shows a user's mailbox and sends.
//
//	POST /mail        201 when the mailbox was read and a mail to oneself is in it
//	GET  /ids?user=   the numbers of the mail that has reached the user, in order
func mail(ctx context.Context, args []string, log *slog.Logger) error {
	var s stand
	var boxes shelf
	f := flag.NewFlagSet("mail", flag.ContinueOnError)
	s.bind(f)
	boxes.bind(f)
	if err := f.Parse(args); err != nil {
		return err
	}
	if _, _, err := boxes.quorum(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mail", boxes.mailSelf)
	mux.HandleFunc("GET /ids", func(w http.ResponseWriter, r *http.Request) {
		user := r.URL.Query().Get("user")
		if !conversationName.MatchString(user) {
			refuse(w, errors.New("list the mail: the query must be user=name"))
			return
		}
		boxes.tellNumbers(w, r, "mail/"+user+"/")
	})
	return serve(ctx, s.listen, mux, log)
}

func (s *shelf) mailSelf(w http.ResponseWriter, r *http.Request) {
	var who struct{ User string }
	if err := readBody(w, r, &who); err != nil || !conversationName.MatchString(who.User) {
		refuse(w, errors.New(`send the mail: the body must be {"user": "name"}`))
		return
	}
	box := "mail/" + who.User + "/"
	index, err := s.list(r.Context(), box, indexLength)
	if err != nil {
		missing(w, fmt.Errorf("read the mailbox: %w", err))
		return
	}
	key := box + "self-" + strings.ToLower(rand.Text())
	if err := s.putAndRead(r.Context(), key, []byte("to myself: "+key)); err != nil {
		missing(w, fmt.Errorf("send the mail: %w", err))
		return
	}
	answer(w, http.StatusCreated, map[string]any{"user": who.User, "shown": len(index)})
}
