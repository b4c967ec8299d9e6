package broker

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/evidence"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == stockRole {
		serveStock(os.Args[2])
		return
	}
	goleak.VerifyTestMain(m)
}

var quiet = slog.New(slog.DiscardHandler)

// echo answers every command with its verb.
type echo struct{}

func (echo) Handle(_ context.Context, c control.Command) (any, error) {
	if c.Verb == control.VerbArm {
		return nil, errors.New("nothing prepared")
	}
	return control.StatusReply{Agent: string(c.Verb)}, nil
}

// serve runs an agent until the test ends or the returned function is called.
func serve(t *testing.T, o control.AgentOptions) (stop func()) {
	t.Helper()
	o.Logger = quiet
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- control.Serve(ctx, o, echo{}) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func start(t *testing.T, keys string) *Broker {
	t.Helper()
	b, err := Start(keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func caller(t *testing.T, b *Broker) *control.Caller {
	t.Helper()
	nc, err := b.Connect(quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c, err := control.NewCaller(nc, b.Key(), "r1", "digest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// call repeats a call until the agent can be reached.
func call(t *testing.T, c *control.Caller, agent string, verb control.Verb) (control.StatusReply, error) {
	t.Helper()
	var reply control.StatusReply
	for range 100 {
		err := c.Call(t.Context(), agent, verb, nil, &reply)
		if !errors.Is(err, control.ErrUnreachable) {
			return reply, err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return reply, control.ErrUnreachable
}

// An agent behind the unix socket answers; its errors come back as what they are.
func TestCommandThroughUnixSocket(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	sock := filepath.Join(dir, "broker.sock")
	if err := b.ListenUnix(sock); err != nil {
		t.Fatal(err)
	}
	defer serve(t, control.AgentOptions{Name: "h.1", URL: "unix://" + sock, Keys: dir, StateDir: t.TempDir()})()
	c := caller(t, b)
	reply, err := call(t, c, "h.1", control.VerbStatus)
	if err != nil || reply.Agent != "status" {
		t.Fatalf("%v, %v", reply, err)
	}
	var remote *control.RemoteError
	if _, err := call(t, c, "h.1", control.VerbArm); !errors.As(err, &remote) || !strings.Contains(err.Error(), "nothing prepared") {
		t.Errorf("got %v, want the handler's error", err)
	}
	if err := c.Call(t.Context(), "h2", control.VerbStatus, nil, nil); !errors.Is(err, control.ErrUnreachable) {
		t.Errorf("absent agent: %v", err)
	}
}

// A host that pins another key obeys nothing.
func TestOtherKeyIsRefused(t *testing.T) {
	keys, pinned := t.TempDir(), t.TempDir()
	b := start(t, keys)
	if err := EnsureCommandKey(pinned); err != nil {
		t.Fatal(err)
	}
	nk, err := os.ReadFile(filepath.Join(keys, control.AgentNK))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(pinned, control.AgentNK), nk, 0o600); err != nil {
		t.Fatal(err)
	}
	defer serve(t, control.AgentOptions{Name: "h1", URL: b.URL(), Keys: pinned, StateDir: t.TempDir()})()
	if _, err := call(t, caller(t, b), "h1", control.VerbHalt); !errors.Is(err, control.ErrSignature) {
		t.Errorf("got %v, want %v", err, control.ErrSignature)
	}
}

// Whoever holds the broker can repeat a command word for word; the agent obeys once.
func TestReplayIsRefused(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	defer serve(t, control.AgentOptions{Name: "h1", URL: b.URL(), Keys: dir, StateDir: t.TempDir()})()
	nc, err := b.Connect(quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	heard, err := nc.SubscribeSync(control.SubjectCommands + "h1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := call(t, caller(t, b), "h1", control.VerbRenew); err != nil {
		t.Fatal(err)
	}
	var last []byte // calls before the agent was there went unheard by it
	for m, err := heard.NextMsg(time.Second); err == nil; m, err = heard.NextMsg(200 * time.Millisecond) {
		last = m.Data
	}
	again, err := nc.Request(control.SubjectCommands+"h1", last, 5*time.Second)
	if err != nil || !strings.Contains(string(again.Data), "replayed") {
		t.Errorf("answer to a repeated command: %s, %v", again.Data, err)
	}
}

// An agent's user can neither send commands nor hear other agents' evidence,
// and nobody without a key gets in.
func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	if nc, err := nats.Connect(b.URL()); err == nil {
		nc.Close()
		t.Error("let in without a key")
	}
	user, err := control.NkeyOption(filepath.Join(dir, control.AgentNK))
	if err != nil {
		t.Fatal(err)
	}
	denied := make(chan string, 8)
	nc, err := nats.Connect(b.URL(), user, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { denied <- err.Error() }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.Publish(control.SubjectCommands+"h2", []byte("forged")); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.SubscribeSync(control.SubjectEvidence + ">"); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-denied:
		case <-time.After(5 * time.Second):
			t.Fatal("not denied")
		}
	}
}

// Evidence made while no injector listens arrives, once and in order, when one does.
func TestEvidenceIsSpooledWhileAway(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir)
	spool, err := control.OpenSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	sock := filepath.Join(dir, "broker.sock")
	defer serve(t, control.AgentOptions{Name: "h1", URL: "unix://" + sock, Keys: dir, StateDir: t.TempDir(), Spool: spool})()
	say := func(message string) {
		if err := spool.Append(evidence.Event{Run: "r1", Message: message}); err != nil {
			t.Fatal(err)
		}
	}
	say("one") // the socket does not even exist
	if err := b.ListenUnix(sock); err != nil {
		t.Fatal(err)
	}
	first := caller(t, b)
	want := []string{"one", "two", "three"}
	got := []string{message(t, first)}
	say("two")
	got = append(got, message(t, first))
	first.Close() // the injector is gone
	say("three")
	time.Sleep(100 * time.Millisecond)
	got = append(got, message(t, caller(t, b)))
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func message(t *testing.T, c *control.Caller) string {
	t.Helper()
	select {
	case s := <-c.Events():
		return s.Event.Message
	case <-time.After(10 * time.Second):
		t.Fatal("no evidence")
		return ""
	}
}
