package clients_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/firedrill-io/firedrill/experiments"
	"github.com/firedrill-io/firedrill/injector/internal/clients"
	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// atOnce has every instant of the incident come at T0.
func atOnce(experiments.Instant) time.Duration { return 0 }

func clock() int64 { return time.Now().UnixNano() }

// service is a gateway that keeps numbers and can be switched off.
type service struct {
	*httptest.Server
	down atomic.Bool
	mu   sync.Mutex
	kept []int
}

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(s.kept)
		return
	}
	body, _ := io.ReadAll(r.Body)
	if n, err := strconv.Atoi(string(body)); err == nil {
		s.kept = append(s.kept, n)
	}
	w.WriteHeader(http.StatusCreated)
}

func experiment(url string) *experiments.Experiment {
	tick := experiments.Duration(10 * time.Millisecond)
	return &experiments.Experiment{
		Hypothesis: []experiments.Hypothesis{{
			Probe: "text", Every: tick, Timeout: experiments.Duration(time.Second),
			HTTP:      &experiments.HTTP{Post: experiments.URLs{url}, Body: "probe", Expect: 201},
			Tolerance: experiments.Tolerance{Availability: 0.99, Over: experiments.Duration(300 * time.Millisecond)},
		}},
		Ledger: []experiments.Ledger{{
			Name: "talk", Every: tick, HTTP: experiments.HTTP{Post: experiments.URLs{url}, Body: "${n}", Expect: 201},
			Read: experiments.ReadBack{Active: experiments.URLs{url}, Sites: map[string]experiments.URLs{"pangyo": {url}, "anyang": {"http://127.0.0.1:1"}}},
		}},
	}
}

// start runs both ends over a real socket and hands back the runner's.
func start(t *testing.T, exp *experiments.Experiment, notify func(clients.Change)) *clients.Collector {
	t.Helper()
	config, err := clients.NewConfig(exp, nil, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := pair(t)
	served := make(chan error, 1)
	go func() { served <- clients.Serve(t.Context(), theirs, clock, slog.New(slog.DiscardHandler)) }()
	c := clients.NewCollector(ours, config, notify)
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), <-served); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func pair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ours, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// eventually waits for something true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 10 s: %s", what)
}

func TestSteadyOutageAndAudit(t *testing.T) {
	s := newService(t)
	var mu sync.Mutex
	var changes []clients.Change
	exp := experiment(s.URL)
	c := start(t, exp, func(ch clients.Change) { mu.Lock(); changes = append(changes, ch); mu.Unlock() })
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(changes) }
	steady := func() bool { ok, _ := c.Steady(exp.Hypothesis[0], clock()); return ok }

	eventually(t, "steady at first", steady)
	s.down.Store(true)
	eventually(t, "outage noticed", func() bool { return count() == 1 })
	if steady() {
		t.Error("steady in the middle of an outage")
	}
	s.down.Store(false)
	eventually(t, "end of outage noticed", func() bool { return count() == 2 })
	eventually(t, "steady again", steady)
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	audit := c.Audit(t.Context(), "talk")
	if audit.Acknowledged == 0 || audit.Lost+audit.Unaccounted != 0 || audit.Unknown == 0 || audit.UnknownKept != 0 {
		t.Errorf("audit: %+v", audit)
	}
	if audit.Sites["pangyo"] != audit.Kept || len(audit.Unreadable) != 1 {
		t.Errorf("sites: %v, unreadable %v", audit.Sites, audit.Unreadable)
	}
	outages := probe.Outages(c.Samples(), c.Late())
	if len(outages) != 1 || outages[0].To == 0 {
		t.Errorf("outages in the samples: %+v", outages)
	}
	if len(changes) == 2 && (!changes[0].Dark || changes[1].Dark || changes[1].For < probe.MinOutage) {
		t.Errorf("changes: %+v", changes)
	}
}

// When the process dies, its runner is told, and waits for nothing.
func TestCollectorNoticesADeadProcess(t *testing.T) {
	ours, theirs := pair(t)
	c := clients.NewCollector(ours, clients.Config{}, nil)
	started := make(chan error, 1)
	go func() { started <- c.Start(t.Context()) }()
	time.Sleep(20 * time.Millisecond)
	_ = theirs.Close()
	<-c.Done()
	if err := <-started; !errors.Is(err, clients.ErrGone) {
		t.Errorf("start: %v", err)
	}
	if _, err := c.Fetch(t.Context(), []string{"http://x"}); !errors.Is(err, clients.ErrGone) {
		t.Errorf("fetch: %v", err)
	}
	_ = c.Close()
}

// When the runner dies, the process stops: its peer's end of the socket closes.
func TestServeEndsWithItsRunner(t *testing.T) {
	s := newService(t)
	ours, theirs := pair(t)
	config, err := clients.NewConfig(experiment(s.URL), nil, atOnce)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- clients.Serve(context.Background(), theirs, clock, slog.New(slog.DiscardHandler)) }()
	c := clients.NewCollector(ours, config, nil)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	_ = c.Close()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the clients process outlived its runner by 5 s")
	}
}

// A stalled process says so; without the stall (the twin) it says nothing.
func TestLateness(t *testing.T) {
	for _, stall := range []time.Duration{0, 2 * time.Second} {
		var jump atomic.Int64
		now := func() int64 { return clock() + jump.Load() }
		ours, theirs := pair(t)
		served := make(chan error, 1)
		go func() { served <- clients.Serve(t.Context(), theirs, now, slog.New(slog.DiscardHandler)) }()
		c := clients.NewCollector(ours, clients.Config{LateAfter: time.Second}, nil)
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		jump.Store(int64(stall)) // the clock goes on while the process does not run
		time.Sleep(100 * time.Millisecond)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if late := len(c.Late()) > 0; late != (stall > 0) {
			t.Errorf("stalled for %s: late windows %v", stall, c.Late())
		}
		if err := errors.Join(c.Close(), <-served); err != nil {
			t.Error(err)
		}
	}
}
