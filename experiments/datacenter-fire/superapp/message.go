package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"
)

// message is one text message. Its number is given by the client and is what
// tells a repeat from a new message.
type message struct {
	Conversation string `json:"conversation"`
	N            *int64 `json:"n,omitempty"` // none: not audited, never taken for a repeat
	Text         string `json:"text,omitempty"`
}

var conversationName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// readMessage accepts a JSON message or a bare number.
func readMessage(r io.Reader) (message, error) {
	b, err := io.ReadAll(io.LimitReader(r, 16<<10))
	if err != nil {
		return message{}, fmt.Errorf("read the message: %w", err)
	}
	m := message{Conversation: "talk"}
	if n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64); err == nil {
		m.N = &n
		return m, nil
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return message{}, fmt.Errorf("read the message: %w", err)
	}
	if !conversationName.MatchString(m.Conversation) {
		return message{}, errors.New("read the message: conversation must be lower-case letters, digits or dashes")
	}
	return m, nil
}

// id is what the store knows the message by; "" for one without a number.
func (m message) id() string {
	if m.N == nil {
		return ""
	}
	return fmt.Sprintf("%s/%d", m.Conversation, *m.N)
}

// numbers returns the numbers of a conversation in stored order, repeats included.
func numbers(msgs []*jetstream.RawStreamMsg, conversation string) []int64 {
	ns := []int64{}
	for _, raw := range msgs {
		var m message
		if raw == nil || json.Unmarshal(raw.Data, &m) != nil || m.Conversation != conversation || m.N == nil {
			continue
		}
		ns = append(ns, *m.N)
	}
	return ns
}

// once drops repeats: the first of each number stays.
func once(ns []int64) []int64 {
	seen := make(map[int64]bool, len(ns))
	kept := []int64{}
	for _, n := range ns {
		if !seen[n] {
			seen[n] = true
			kept = append(kept, n)
		}
	}
	return kept
}
