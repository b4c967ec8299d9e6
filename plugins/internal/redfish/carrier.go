package redfish

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Limits of one request. Controllers are small machines: an answer within a few
// seconds is usual.
const (
	dialLimit   = 5 * time.Second
	answerLimit = 10 * time.Second
	maxAnswer   = 4 << 20 // bytes
)

// carrier carries requests to one controller. It waits where the controller asks
// for patience, and reads no more than maxAnswer of an answer.
type carrier struct {
	ctx  context.Context // of all requests, instead of their own
	base *http.Transport
}

// newCarrier trusts the controller's own CA, or the system's if none is named.
// No proxy is asked: controllers are in a network of their own.
func newCarrier(ctx context.Context, at Controller) (*carrier, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if at.CA != "" {
		text, err := readOwned(at.CA, 0o022)
		if err != nil {
			return nil, err
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%w: no certificate in %s", ErrConfig, at.CA)
		}
	}
	return &carrier{ctx: ctx, base: &http.Transport{
		DialContext:     (&net.Dialer{Timeout: dialLimit}).DialContext,
		TLSClientConfig: trust, TLSHandshakeTimeout: dialLimit, ResponseHeaderTimeout: answerLimit,
	}}, nil
}

// stay follows a redirection on the controller alone: the token of the session
// must not reach anybody else.
func stay(req *http.Request, via []*http.Request) error {
	if req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme || len(via) > 3 {
		return http.ErrUseLastResponse
	}
	return nil
}

// RoundTrip implements http.RoundTripper.
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.WithContext(c.ctx)
	for {
		resp, err := c.base.RoundTrip(req)
		if err != nil {
			return nil, err
		}
		resp.Body = limited{io.LimitReader(resp.Body, maxAnswer), resp.Body}
		if !c.patient(resp) {
			return resp, nil
		}
		_ = resp.Body.Close()
		if req.GetBody == nil {
			continue
		}
		if req.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
}

type limited struct {
	io.Reader
	io.Closer
}

// shortWait is for a busy controller that does not say how long.
const shortWait = time.Second

// patient waits as long as a busy controller asks for, if there is time. A
// request that is answered so was not carried out (RFC 9110, 15.6.4), and may be
// sent again.
func (c *carrier) patient(resp *http.Response) bool {
	if resp.StatusCode != http.StatusServiceUnavailable && resp.StatusCode != http.StatusTooManyRequests {
		return false
	}
	wait := retryAfter(resp.Header.Get("Retry-After"), time.Now())
	if end, ok := c.ctx.Deadline(); ok && time.Until(end) < wait {
		return false
	}
	select {
	case <-c.ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}

// retryAfter reads the header of RFC 9110, 10.2.3: seconds or an instant.
func retryAfter(text string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(text); err == nil && s >= 0 {
		return max(time.Duration(s)*time.Second, shortWait/4)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), shortWait/4)
	}
	return shortWait
}
