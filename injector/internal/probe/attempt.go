package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Answer is the end of one attempt at one URL.
type Answer struct {
	Class  Class
	Status int
	Sent   bool // the request, or part of it, may have reached the peer
}

// Sender sends HTTP requests the way a client does that must notice a dark
// peer: a fresh connection for each attempt. A connection that is kept alive
// shows what an old user sees, hides refused connections, and to a peer without
// power hangs until the time-out; with a fresh one, what could not be dialled
// was surely not sent.
type Sender struct {
	client *http.Client
}

// NewSender makes a Sender whose attempts end after timeout, dialling included.
func NewSender(timeout time.Duration) *Sender { return newSender(timeout, false) }

// NewUser makes a Sender that keeps its connection as a person's own client
// does, and so learns of a dark peer by its time-out only. Close it.
func NewUser(timeout time.Duration) *Sender { return newSender(timeout, true) }

func newSender(timeout time.Duration, keep bool) *Sender {
	dialer := &net.Dialer{Timeout: timeout, KeepAlive: -1}
	return &Sender{client: &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			DisableKeepAlives:     !keep,
			MaxIdleConnsPerHost:   1,
			DisableCompression:    true,
			TLSHandshakeTimeout:   timeout,
			ResponseHeaderTimeout: timeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close drops the connections that are kept.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Ask tries the request's URLs until one answers as expected, the one that
// answered last first. It returns the last answer and how many URLs were tried.
func (s *Sender) Ask(ctx context.Context, req Request, n int, first *Sticky) (Answer, int) {
	body := Number(req.Body, n)
	return first.Try(ctx, len(req.URLs), func(at int) Answer {
		return s.Try(ctx, req.Method, Number(req.URLs[at], n), body, req.Expect)
	})
}

// Try makes one attempt.
func (s *Sender) Try(ctx context.Context, method, url, body string, expect int) Answer {
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, url, strings.NewReader(body))
	if err != nil {
		return Answer{Class: Unreachable}
	}
	if body != "" {
		req.Header.Set("Content-Type", contentType(body))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return Answer{Class: classify(err, sent.Load()), Sent: sent.Load()}
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return Answer{Class: classify(err, true), Status: resp.StatusCode, Sent: true}
	}
	if resp.StatusCode != expect {
		return Answer{Class: BadStatus, Status: resp.StatusCode, Sent: true}
	}
	return Answer{Class: OK, Status: resp.StatusCode, Sent: true}
}

func contentType(body string) string {
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// classify names the end of an attempt that got no answer.
func classify(err error, sent bool) Class {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		if sent {
			return Timeout
		}
		return DialTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.As(err, &dns), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable
	case sent:
		return Reset
	}
	return Unreachable
}

// Connect makes one TCP connection and closes it.
func Connect(ctx context.Context, address string, timeout time.Duration) Answer {
	conn, err := (&net.Dialer{Timeout: timeout, KeepAlive: -1}).DialContext(ctx, "tcp", address)
	if err != nil {
		return Answer{Class: classify(err, false)}
	}
	_ = conn.Close()
	return Answer{Class: OK, Sent: true}
}
