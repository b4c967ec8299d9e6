package probe_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/injector/internal/probe"
)

// closedPort is an address that refuses connections.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// silentPeer accepts connections in the kernel and never answers.
func silentPeer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func status(t *testing.T, code int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestTryClassifies(t *testing.T) {
	hangUp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(hangUp.Close)
	for name, c := range map[string]struct {
		url  string
		want probe.Answer
	}{
		"ok":          {status(t, 201), probe.Answer{Class: probe.OK, Status: 201, Sent: true}},
		"status":      {status(t, 503), probe.Answer{Class: probe.BadStatus, Status: 503, Sent: true}},
		"refused":     {"http://" + closedPort(t), probe.Answer{Class: probe.Refused}},
		"silent":      {"http://" + silentPeer(t), probe.Answer{Class: probe.Timeout, Sent: true}},
		"hangs up":    {hangUp.URL, probe.Answer{Class: probe.Reset, Sent: true}},
		"no such URL": {"http://no such", probe.Answer{Class: probe.Unreachable}},
	} {
		t.Run(name, func(t *testing.T) {
			sender := probe.NewSender(200 * time.Millisecond)
			if got := sender.Try(t.Context(), http.MethodPost, c.url, "1", 201); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A dark first gateway costs its time-out once; afterwards the client begins at
// the one that answered.
func TestRunRemembersTheURLThatAnswered(t *testing.T) {
	spec := probe.Spec{
		Name: "text", Every: 20 * time.Millisecond, Timeout: 150 * time.Millisecond,
		HTTP: &probe.Request{Method: http.MethodPost, URLs: []string{"http://" + silentPeer(t), status(t, 201)}, Body: "${n}", Expect: 201},
	}
	samples := collect(t, spec, time.Second)
	if len(samples) < 30 {
		t.Fatalf("%d samples in 1 s at 50 a second", len(samples))
	}
	slow := 0
	for _, s := range samples {
		if !s.OK {
			t.Errorf("sample failed: %+v", s)
		}
		if s.Latency > 140*time.Millisecond {
			slow++
		}
	}
	if slow == 0 || slow > 15 {
		t.Errorf("%d of %d samples waited for the dark gateway; want only those sent before the first answer", slow, len(samples))
	}
}

func TestRunTCP(t *testing.T) {
	up := collect(t, probe.Spec{Name: "up", TCP: []string{silentPeer(t)}, Every: 20 * time.Millisecond, Timeout: time.Second}, 200*time.Millisecond)
	down := collect(t, probe.Spec{Name: "down", TCP: []string{closedPort(t)}, Every: 20 * time.Millisecond, Timeout: time.Second}, 200*time.Millisecond)
	second := collect(t, probe.Spec{Name: "second", TCP: []string{closedPort(t), silentPeer(t)}, Every: 20 * time.Millisecond, Timeout: time.Second}, 200*time.Millisecond)
	if len(second) < 2 || !second[0].OK || second[0].Tries != 2 || second[len(second)-1].Tries != 1 {
		t.Errorf("the second of two: %+v", second)
	}
	if len(up) == 0 || !up[0].OK {
		t.Errorf("listening port: %+v", up)
	}
	if len(down) == 0 || down[0].OK || down[0].Class != probe.Refused {
		t.Errorf("closed port: %+v", down)
	}
}

// lateTimer is a context whose deadline has passed and whose timer did not fire
// yet, as on a busy machine.
type lateTimer struct{ context.Context }

func (lateTimer) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

func TestRunDoesNotTakeItsEndForATimeout(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	spec := probe.Spec{Name: "up", TCP: []string{silentPeer(t)}, Every: 10 * time.Millisecond, Timeout: time.Second}
	var samples atomic.Int64
	probe.Run(lateTimer{ctx}, spec, fakeClock, func(s probe.Sample) {
		if !s.OK {
			t.Errorf("sample failed: %+v", s)
		}
		if samples.Add(1) == 5 {
			cancel()
		}
	})
	if n := samples.Load(); n < 5 {
		t.Errorf("%d samples", n)
	}
}

func collect(t *testing.T, spec probe.Spec, length time.Duration) []probe.Sample {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var mu sync.Mutex
	var samples []probe.Sample
	probe.Run(ctx, spec, fakeClock, func(s probe.Sample) {
		mu.Lock()
		defer mu.Unlock()
		samples = append(samples, s)
	})
	return samples
}

func ExampleNumber() {
	fmt.Println(probe.Number(`{"number": ${n}}`, 7))
	// Output: {"number": 7}
}
