package power

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// switchboard knows one host and blocks on another.
type switchboard struct{ on bool }

func (s *switchboard) Status(ctx context.Context, host string) (Status, error) {
	switch host {
	case "h1":
		return Status{Host: host, On: s.on}, nil
	case "slow":
		<-ctx.Done()
		return Status{}, ctx.Err()
	}
	return Status{}, errors.New("no such host")
}

func (s *switchboard) On(ctx context.Context, host string) (Status, error) {
	s.on = true
	return s.Status(ctx, host)
}

func serve(t *testing.T) (*Client, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "power.sock")
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, &switchboard{}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return NewClient(socket), socket
}

func TestAskAndSwitch(t *testing.T) {
	c, socket := serve(t)
	if st, err := os.Stat(socket); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; want mode 0600", st.Mode(), err)
	}
	if s, err := c.Status(t.Context(), "h1"); err != nil || s.On || s.Host != "h1" {
		t.Errorf("before: %+v, %v", s, err)
	}
	if s, err := c.On(t.Context(), "h1"); err != nil || !s.On {
		t.Errorf("after: %+v, %v", s, err)
	}
	if _, err := c.Status(t.Context(), "h2"); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("unknown host: %v", err)
	}
}

// A controller that does not answer holds nobody longer than the caller's context.
func TestDeadline(t *testing.T) {
	c, _ := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx, "slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := NewClient(filepath.Join(t.TempDir(), "none.sock")).Status(t.Context(), "h1"); err == nil {
		t.Error("a controller that is not there answered")
	}
}

// What is no request is answered with an error, not with silence.
func TestBadRequests(t *testing.T) {
	_, socket := serve(t)
	for _, line := range []string{"{", `{"op":"cut","host":"h1"}`, `[]`} {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(line + "\n")); err != nil {
			t.Fatal(err)
		}
		var r Response
		if err := json.NewDecoder(conn).Decode(&r); err != nil || r.Error == "" {
			t.Errorf("%s: %+v, %v", line, r, err)
		}
		_ = conn.Close()
	}
}
