package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// near is the client of services among themselves. A dark host is given up
// quickly, and a connection that has been idle is not trusted for long.
var near = &http.Client{Transport: &http.Transport{
	DialContext:         (&net.Dialer{Timeout: 300 * time.Millisecond, KeepAlive: time.Second}).DialContext,
	MaxIdleConnsPerHost: 8, IdleConnTimeout: 5 * time.Second,
}}

// refused is an answer other than 2xx.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("answer %d: %s", r.status, r.text) }

// call makes one request, JSON both ways (in []byte goes as it is), within the
// given time. An answer other than 2xx is a *refused.
func call(ctx context.Context, wait time.Duration, method, url string, in, out any) error {
	return callVersion(ctx, wait, method, url, 0, in, out)
}

// callVersion is call with an item's version.
func callVersion(ctx context.Context, wait time.Duration, method, url string, version int64, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	body, raw := in.([]byte)
	if !raw && in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if version > 0 {
		req.Header.Set(versionHeader, fmt.Sprint(version))
	}
	resp, err := near.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 != 2 {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
		return &refused{resp.StatusCode, string(bytes.TrimSpace(b))}
	}
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
