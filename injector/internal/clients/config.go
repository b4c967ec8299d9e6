// Package clients is the users of the service: one process in a host of its own
// that sends the probes, the ledgers' writes and the load, and streams what became of them
// to the runner, over one socket that carries one JSON value a line each way.
//
// Serve is the process, Collector is the runner's end of the socket. When the
// runner's end closes, for whatever reason, the process stops.
package clients

import (
	"fmt"
	"strings"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

const (
	// DefaultTimeout is how long one attempt may take when the file does not say.
	DefaultTimeout = time.Second
	// DefaultAttempts is how often a ledger's write is tried when the file does not say.
	DefaultAttempts = 3
	// DefaultLateAfter is how late a send may start before its window is late: a
	// tenth of the shortest outage that is reported.
	DefaultLateAfter = 100 * time.Millisecond
)

// Config is the first line the runner sends.
type Config struct {
	Probes    []probe.Spec        `json:"probes"`
	Ledgers   []ledger.Spec       `json:"ledgers"`
	Loads     []crowd.Spec        `json:"loads,omitempty"`
	Reads     map[string]ReadBack `json:"reads"` // by ledger
	LateAfter time.Duration       `json:"late_after_ns"`
}

// ReadBack is where a ledger's numbers are read; the URLs of one store are tried
// in order until one answers.
type ReadBack struct {
	Active []string            `json:"active"`
	Sites  map[string][]string `json:"sites,omitempty"`
}

// NewConfig takes the probes, ledgers and loads from an experiment. expand
// replaces what only the lab knows in a URL (nil: nothing), such as a host's
// address; wall is when an instant of the incident comes, from T0, and is asked
// for surges only.
func NewConfig(exp *experiments.Experiment, expand func(string) (string, error), wall func(experiments.Instant) time.Duration) (Config, error) {
	e := expander{expand: expand}
	c := Config{Reads: map[string]ReadBack{}, LateAfter: DefaultLateAfter}
	for _, h := range exp.Hypothesis {
		spec := probe.Spec{Name: h.Probe, Every: time.Duration(h.Every), Timeout: timeout(h.Timeout)}
		switch {
		case h.HTTP != nil:
			req := e.request(*h.HTTP)
			spec.HTTP = &req
		case h.TCP != nil:
			spec.TCP = e.urls(h.TCP.Connect)
		}
		c.Probes = append(c.Probes, spec)
	}
	for _, l := range exp.Ledger {
		attempts := l.Attempts
		if attempts <= 0 {
			attempts = DefaultAttempts
		}
		c.Ledgers = append(c.Ledgers, ledger.Spec{Name: l.Name, HTTP: e.request(l.HTTP), Every: time.Duration(l.Every), Timeout: timeout(l.Timeout), Attempts: attempts})
		read := ReadBack{Active: e.urls(l.Read.Active), Sites: map[string][]string{}}
		for site, urls := range l.Read.Sites {
			read.Sites[site] = e.urls(urls)
		}
		c.Reads[l.Name] = read
	}
	for _, l := range exp.Load {
		c.Loads = append(c.Loads, e.crowd(l, exp.Seed, wall))
	}
	if e.err != nil {
		return Config{}, e.err
	}
	return c, c.check()
}

func timeout(d experiments.Duration) time.Duration {
	if d <= 0 {
		return DefaultTimeout
	}
	return time.Duration(d)
}

// expander keeps the first error, so that NewConfig reads straight down.
type expander struct {
	expand func(string) (string, error)
	err    error
}

// text leaves ${n} alone: it is filled in for each request.
func (e *expander) text(s string) string {
	if e.expand == nil {
		return s
	}
	parts := strings.Split(s, number)
	for i, part := range parts {
		out, err := e.expand(part)
		if err != nil && e.err == nil {
			e.err = fmt.Errorf("expand %q: %w", s, err)
		}
		parts[i] = out
	}
	return strings.Join(parts, number)
}

// number stands in an address for the number of the request.
const number = "${n}"

func (e *expander) urls(urls []string) []string {
	out := make([]string, len(urls))
	for i, u := range urls {
		out[i] = e.text(u)
	}
	return out
}

func (e *expander) request(h experiments.HTTP) probe.Request {
	req := probe.Request{Method: "GET", URLs: e.urls(h.Get), Body: h.Body, Expect: h.Expect}
	if len(h.Post) > 0 {
		req.Method, req.URLs = "POST", e.urls(h.Post)
	}
	if req.Expect == 0 {
		req.Expect = 200
	}
	return req
}

// check refuses what the loops cannot run.
func (c Config) check() error {
	for _, p := range c.Probes {
		if p.Every <= 0 || p.Timeout <= 0 {
			return fmt.Errorf("configure probe %s: every and timeout must be positive", p.Name)
		}
		if (p.HTTP == nil) == (len(p.TCP) == 0) {
			return fmt.Errorf("configure probe %s: give exactly one of http and tcp", p.Name)
		}
		if p.HTTP != nil && len(p.HTTP.URLs) == 0 {
			return fmt.Errorf("configure probe %s: it has no URL", p.Name)
		}
	}
	for _, l := range c.Ledgers {
		if l.Every <= 0 || l.Timeout <= 0 || l.Attempts <= 0 {
			return fmt.Errorf("configure ledger %s: every, timeout and attempts must be positive", l.Name)
		}
		if len(l.HTTP.URLs) == 0 {
			return fmt.Errorf("configure ledger %s: it has no URL", l.Name)
		}
	}
	return c.checkLoads()
}
