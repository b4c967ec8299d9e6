package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/crowd"
	"github.com/firedrill-io/firedrill/injector/internal/ledger"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// ErrGone is returned when the clients process has ended, or its socket closed.
var ErrGone = errors.New("clients process has gone")

// Collector is the runner's end of the socket. It is safe for concurrent use.
type Collector struct {
	conn   io.ReadWriteCloser
	config Config
	notify func(Change)
	feed   Feed // nil: nobody watches
	ended  chan struct{}

	sending sync.Mutex

	mu      sync.Mutex
	samples map[string][]probe.Sample
	writes  map[string][]ledger.Write
	seconds map[string][]crowd.Second
	late    []probe.Window
	watches map[string]*watch
	waiting map[int]chan reply
	lastID  int
	err     error
}

// NewCollector reads conn in a goroutine of its own until it closes; Close joins
// it. notify is called, from that goroutine, when a probe goes dark or comes
// back; it may be nil and must not call the Collector's commands.
func NewCollector(conn io.ReadWriteCloser, config Config, notify func(Change)) *Collector {
	c := &Collector{
		conn: conn, config: config, notify: notify, ended: make(chan struct{}),
		samples: map[string][]probe.Sample{}, writes: map[string][]ledger.Write{}, seconds: map[string][]crowd.Second{},
		watches: map[string]*watch{}, waiting: map[int]chan reply{},
	}
	go c.read()
	return c
}

func (c *Collector) read() {
	defer close(c.ended)
	in := bufio.NewReaderSize(c.conn, 1<<16)
	for {
		raw, err := in.ReadBytes('\n')
		if err != nil {
			c.fail(ignoreClosed(err))
			return
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			c.fail(fmt.Errorf("read clients' line: %w", err))
			return
		}
		if change := c.take(l); change != nil && c.notify != nil {
			c.notify(*change)
		}
		c.pass(l)
	}
}

// take files one line.
func (c *Collector) take(l line) *Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case l.Sample != nil:
		name := l.Sample.Probe
		c.samples[name] = append(c.samples[name], *l.Sample)
		if c.watches[name] == nil {
			c.watches[name] = &watch{}
		}
		return c.watches[name].see(*l.Sample, c.late)
	case l.Write != nil:
		c.writes[l.Write.Ledger] = append(c.writes[l.Write.Ledger], *l.Write)
	case l.Second != nil:
		c.seconds[l.Second.Load] = append(c.seconds[l.Second.Load], *l.Second)
	case l.Late != nil:
		c.late = probe.Merge(append(c.late, *l.Late))
	case l.Reply != nil:
		if ch := c.waiting[l.Reply.ID]; ch != nil {
			delete(c.waiting, l.Reply.ID)
			ch <- *l.Reply
		}
	}
	return nil
}

// fail ends all waiting calls.
func (c *Collector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = errors.Join(ErrGone, err)
	for id, ch := range c.waiting {
		delete(c.waiting, id)
		close(ch)
	}
}

// Done is closed when the clients process is gone.
func (c *Collector) Done() <-chan struct{} { return c.ended }

// Close ends the clients process and waits for the reader.
func (c *Collector) Close() error {
	err := ignoreClosed(c.conn.Close())
	<-c.ended
	return err
}

// Start begins all probes, ledgers and loads.
func (c *Collector) Start(ctx context.Context) error {
	_, err := c.call(ctx, command{Verb: startAll, Config: &c.config})
	return err
}

// Begin says that the incident's clock starts at t0, in ns of CLOCK_BOOTTIME,
// which may lie ahead: the loads' surges count from there.
func (c *Collector) Begin(ctx context.Context, t0 int64) error {
	_, err := c.call(ctx, command{Verb: begin, T0: t0})
	return err
}

// Stop ends loads, writes and probes and returns when the last request has its answer.
func (c *Collector) Stop(ctx context.Context) error {
	_, err := c.call(ctx, command{Verb: stopAll})
	return err
}

// Fetch returns the body of the first URL that answers 200 in the clients' network.
func (c *Collector) Fetch(ctx context.Context, urls []string) ([]byte, error) {
	body, err := c.call(ctx, command{Verb: fetch, URLs: urls})
	return []byte(body), err
}

func (c *Collector) call(ctx context.Context, cmd command) (string, error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return "", fmt.Errorf("ask clients to %s: %w", cmd.Verb, c.err)
	}
	c.lastID++
	cmd.ID = c.lastID
	ch := make(chan reply, 1)
	c.waiting[cmd.ID] = ch
	c.mu.Unlock()
	if err := c.send(cmd); err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("ask clients to %s: %w", cmd.Verb, ctx.Err())
	case r, ok := <-ch:
		if !ok {
			return "", fmt.Errorf("ask clients to %s: %w", cmd.Verb, ErrGone)
		}
		if r.Error != "" {
			return "", fmt.Errorf("ask clients to %s: %s", cmd.Verb, r.Error)
		}
		return r.Body, nil
	}
}

func (c *Collector) send(cmd command) error {
	raw, err := json.Marshal(cmd)
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if _, err := c.conn.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("ask clients to %s: %w", cmd.Verb, errors.Join(ErrGone, err))
	}
	return nil
}

// Steady says whether the hypothesis holds over its window before now
// (CLOCK_BOOTTIME, ns), and if not why. Give a now of about the longest time-out
// ago to judge only what has been answered.
func (c *Collector) Steady(h experiments.Hypothesis, now int64) (bool, string) {
	c.mu.Lock()
	samples, late := c.samples[h.Probe], c.late
	c.mu.Unlock()
	return probe.Steady(samples, late, time.Duration(h.Every), h.Tolerance, now)
}

// Samples are all samples so far, in the order they were due.
func (c *Collector) Samples() []probe.Sample {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []probe.Sample
	for _, s := range c.samples {
		all = append(all, s...)
	}
	slices.SortStableFunc(all, func(a, b probe.Sample) int { return int(a.Due - b.Due) })
	return all
}

// Writes are all writes of a ledger so far, by number.
func (c *Collector) Writes(name string) []ledger.Write {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Clone(c.writes[name])
	slices.SortFunc(all, func(a, b ledger.Write) int { return a.N - b.N })
	return all
}

// Seconds are all seconds of a load so far, in their order.
func (c *Collector) Seconds(name string) []crowd.Second {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.seconds[name])
}

// Late are the windows in which the clients were late, sorted and joined.
func (c *Collector) Late() []probe.Window {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.late)
}
