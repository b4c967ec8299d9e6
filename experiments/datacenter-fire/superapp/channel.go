package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

const (
	firstChannel  = "news"
	subscribers   = 20
	channelPrefix = "channel/"
)

// advert is one advertising message with all who get it. Its conversation lets
// the store's readers count it like any other message.
type advert struct {
	message
	To []string `json:"to"`
}

// broadcast is what a channel's owner sends.
type broadcast struct {
	Channel string `json:"channel"`
	N       *int64 `json:"n,omitempty"`
	Text    string `json:"text,omitempty"`
}

// lists holds who subscribed to which channel.
type lists struct{ shelf }

// channel sends advertising messages: who gets them lies in a vault, and they go
// out through the company's store of text messages. It needs both.
//
//	POST /broadcast   201 when the store has the batch
func channel(ctx context.Context, args []string, log *slog.Logger) error {
	var on lists
	return atDesk(ctx, "channel", args, log, opening{flags: on.bind, routes: func(ctx context.Context, d *desk) error {
		go on.begin(ctx, log)
		d.mux.HandleFunc("POST /broadcast", func(w http.ResponseWriter, r *http.Request) { on.send(w, r, d) })
		return nil
	}})
}

// begin enters the first channel's subscribers once the vault answers, if it
// holds no channel at all: a list that got lost later is not made up again.
func (l *lists) begin(ctx context.Context, log *slog.Logger) {
	for last := ""; ; {
		err := l.enterFirst(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if err.Error() != last {
			last = err.Error()
			log.Info("the lists of subscribers are not there yet", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (l *lists) enterFirst(ctx context.Context) error {
	have, err := l.list(ctx, channelPrefix, 1)
	if err != nil || len(have) > 0 {
		return err
	}
	to := make([]string, subscribers)
	for i := range to {
		to[i] = fmt.Sprintf("subscriber-%d", i)
	}
	b, err := json.Marshal(to)
	if err != nil {
		return err
	}
	return l.put(ctx, channelPrefix+firstChannel, 1, b)
}

func (l *lists) send(w http.ResponseWriter, r *http.Request, d *desk) {
	b := broadcast{Channel: firstChannel}
	if err := readBody(w, r, &b); err != nil || !conversationName.MatchString(b.Channel) {
		refuse(w, errors.New(`send the broadcast: the body must be {"channel": "name", "n": 1, "text": "…"}`))
		return
	}
	switch err := l.handOn(r.Context(), b, d); {
	case errors.Is(err, errNoItem):
		http.Error(w, "read the subscribers: there is no channel "+b.Channel, http.StatusNotFound)
	case err != nil:
		missing(w, err)
	default:
		w.WriteHeader(http.StatusCreated)
	}
}

// handOn gives the whole batch to the company's store in one message.
func (l *lists) handOn(ctx context.Context, b broadcast, d *desk) error {
	i, err := l.get(ctx, channelPrefix+b.Channel)
	if err != nil {
		return fmt.Errorf("read the subscribers: %w", err)
	}
	a := advert{message: message{Conversation: "channel-" + b.Channel, N: b.N, Text: b.Text}}
	if err := json.Unmarshal(i.Body, &a.To); err != nil {
		return fmt.Errorf("read the subscribers: %w", err)
	}
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	s, epoch, err := d.active()
	if err != nil {
		return err
	}
	return s.publish(ctx, "channel."+b.Channel, data, a.id(), epoch)
}
