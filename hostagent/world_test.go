package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/firedrill-io/firedrill/hostagent/internal/guardian"
	"github.com/firedrill-io/firedrill/hostagent/internal/mock"
	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/digest/digesttest"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const (
	before = "as it was\n"
	after  = "disturbed\n" // as long as before: the mock writes in place
)

// binary is this command in its test build, made once by TestMain.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "firedrill-hostagent-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "hostagent")
		if err := build(binary, "-tags", "failpoint"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return digesttest.Run(m)
	}())
}

func build(out string, flags ...string) error {
	goTool := ""
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) { // go test puts its own go first
		goTool = filepath.Join(dir, "go")
		if _, err := os.Stat(goTool); err == nil {
			break
		}
	}
	args := append(append([]string{"build"}, flags...), "-o", out, ".")
	p, err := proc.Start(proc.Spec{Path: goTool, Args: args, Env: append(os.Environ(), "CGO_ENABLED=0"), Stderr: os.Stderr})
	if err != nil {
		return err
	}
	if code, err := p.Wait(); err != nil || code != 0 {
		return fmt.Errorf("build test binary: exit code %d: %w", code, err)
	}
	return nil
}

// world is one agent with a knob to disturb and a broker to command it through.
type world struct {
	t      testing.TB
	binary string
	root   string
	knob   string
	keys   string
	url    string
	serve  []string // more arguments of serve
	caller *control.Caller
	agent  *proc.Process
	ended  chan struct{} // closed when the agent has ended, with code
	code   int
	fired  int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	need.Check(t, need.Root)
	dir, err := os.MkdirTemp("", "fd") // short: sockets lie below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := &world{t: t, binary: binary, root: filepath.Join(dir, "root"), knob: filepath.Join(dir, "knob"), keys: filepath.Join(dir, "keys")}
	w.must(os.WriteFile(w.knob, []byte(before), 0o600))
	w.must(os.Mkdir(w.keys, 0o700))
	public, private, err := ed25519.GenerateKey(nil)
	w.must(err)
	w.must(os.WriteFile(filepath.Join(w.keys, control.CommandPub), []byte(base64.StdEncoding.EncodeToString(public)), 0o600))
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	w.must(err)
	broker.Start()
	t.Cleanup(broker.Shutdown)
	if !broker.ReadyForConnections(5 * time.Second) {
		t.Fatal("the broker is not ready")
	}
	w.url = broker.ClientURL()
	nc, err := nats.Connect(w.url)
	w.must(err)
	t.Cleanup(nc.Close)
	w.caller, err = control.NewCaller(nc, private, "run1", "plan")
	w.must(err)
	go func() {
		for range w.caller.Events() { // evidence is asserted through the journal
		}
	}()
	t.Cleanup(w.clear)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// start starts the agent and waits until it serves.
func (w *world) start(env ...string) {
	w.t.Helper()
	p, err := proc.Start(proc.Spec{
		Path: w.binary, Args: append([]string{"serve", "--root", w.root, "--name", "h1", "--nats", w.url, "--keys", w.keys}, w.serve...),
		Env: append(os.Environ(), env...), Stderr: os.Stderr,
	})
	w.must(err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.code, _ = p.Wait()
	}()
	w.agent, w.ended = p, ended
	within(w.t, 20*time.Second, "the agent serves", func() bool {
		var s control.StatusReply
		return w.call(control.VerbStatus, nil, &s) == nil && s.Guardian
	})
}

func (w *world) call(v control.Verb, body, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	ended := w.ended
	go func() {
		select {
		case <-ended: // nobody will answer any more
			cancel()
		case <-ctx.Done():
		}
	}()
	return w.caller.Call(ctx, "h1", v, body, out)
}

// inject goes as far as it gets: prepare, arm, fire, wait for applied.
func (w *world) inject(p mock.Params, lease time.Duration) (fault.InjectionID, error) {
	p.File, p.Value = w.knob, after
	params, err := json.Marshal(p)
	w.must(err)
	return w.injectKind(mock.Kind, params, lease)
}

func (w *world) injectKind(kind fault.Kind, params json.RawMessage, lease time.Duration) (fault.InjectionID, error) {
	w.fired++
	id := fault.InjectionID(fmt.Sprintf("i%d", w.fired))
	var prepared control.PrepareReply
	order := control.Injection{ID: id, Kind: kind, Host: "h1", Stage: "s", Params: params}
	if err := w.call(control.VerbPrepare, control.PrepareRequest{Injections: []control.Injection{order}}, &prepared); err != nil {
		return id, err
	}
	at := time.Now().Add(400 * time.Millisecond)
	var armed control.ArmReply
	if err := w.call(control.VerbArm, control.ArmRequest{IDs: []fault.InjectionID{id}, At: at, End: at.Add(time.Hour), Lease: lease}, &armed); err != nil {
		return id, err
	}
	var ack control.Ack
	if err := w.call(control.VerbFire, control.FireRequest{IDs: []fault.InjectionID{id}}, &ack); err != nil {
		return id, err
	}
	for _, results := range [][]control.Result{prepared.Results, armed.Results, ack.Results} {
		if len(results) != 1 || results[0].Error != nil {
			return id, fmt.Errorf("%+v", results)
		}
	}
	return id, w.applied(id)
}

func (w *world) applied(id fault.InjectionID) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		select {
		case <-w.ended:
			return errors.New("the agent ended")
		default:
		}
		var o control.ObserveReply
		err := w.call(control.VerbObserve, control.InjectionsRequest{IDs: []fault.InjectionID{id}}, &o)
		if err == nil && len(o.Observed) == 1 && o.Observed[0].Phase == string(journal.Applied) {
			return nil
		}
	}
	return errors.New("not applied")
}

// mustInject injects and asserts the effect.
func (w *world) mustInject(p mock.Params, lease time.Duration) fault.InjectionID {
	w.t.Helper()
	id, err := w.inject(p, lease)
	w.must(err)
	if got := w.read(); got != after {
		w.t.Fatalf("injected, but the knob holds %q", got)
	}
	return id
}

func (w *world) read() string {
	b, err := os.ReadFile(w.knob)
	w.must(err)
	return string(b)
}

func (w *world) state() guardian.State {
	bootID, err := guardian.BootID()
	w.must(err)
	s, err := guardian.ReadState(w.root, bootID)
	w.must(err)
	return s
}

// run runs one subcommand to its end.
func (w *world) run(env []string, args ...string) int {
	p, err := proc.Start(proc.Spec{Path: w.binary, Args: append(args, "--root", w.root), Env: append(os.Environ(), env...), Stderr: os.Stderr})
	w.must(err)
	code, err := p.Wait()
	w.must(err)
	return code
}

// reverted asserts that within d the knob is as before and nothing is live.
func (w *world) reverted(d time.Duration) {
	w.t.Helper()
	within(w.t, d, "the knob is as before", func() bool { return w.read() == before })
	within(w.t, 5*time.Second, "nothing is live in the journal", func() bool {
		live, _, bad, err := journal.Read(journal.Path(w.root))
		return err == nil && bad == nil && len(live) == 0
	})
}

// clear ends what the test left.
func (w *world) clear() {
	if w.agent == nil {
		return
	}
	s := w.state()
	_ = w.agent.Signal(syscall.SIGCONT)
	_ = w.agent.Kill()
	within(w.t, 10*time.Second, "the guardian ends", func() bool { return !s.Guardian.Alive() })
	for _, dir := range s.Groups {
		within(w.t, 5*time.Second, "no plugin is left", func() bool { return empty(dir) })
	}
	if w.run(nil, "revert", "--all") != exitOK { // also removes what a killed guardian could not
		w.t.Error("revert --all after the test did not manage")
	}
}

func within(t testing.TB, d time.Duration, what string, reached func() bool) {
	t.Helper()
	for end := time.Now().Add(d); ; time.Sleep(5 * time.Millisecond) {
		if reached() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", d, what)
		}
	}
}
