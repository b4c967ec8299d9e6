package e2e

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sys/unix"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/need"
)

const (
	brokerAddress = "10.77.1.2:4222" // on n2, in testdata/wire/lab.yaml
	inHosts       = "/run/firedrill/services/"
	agentState    = "/state/agent"
)

// wire is a standing lab whose agent is reached over the data network, and a
// connection to its broker from the host clients.
type wire struct {
	t      *testing.T
	lab    string
	key    ed25519.PrivateKey // the one that n1 obeys
	nc     *nats.Conn
	caller *control.Caller
}

// standUp raises the lab with the given hostagent and waits until it answers.
func standUp(t *testing.T, hostagent string) *wire {
	t.Helper()
	need.Check(t, need.Root, need.Loop, need.Mkfs)
	w := &wire{t: t}
	self, err := os.Executable()
	w.must(err)
	services, keys := t.TempDir(), t.TempDir()
	for name, from := range map[string]string{
		tunnel: self, "hostagent": hostagent,
		"superapp": filepath.Join(bin, "lab/superapp"), "nats-server": filepath.Join(bin, "lab/nats-server"),
	} {
		b, err := os.ReadFile(from)
		w.must(err)
		w.must(os.WriteFile(filepath.Join(services, name), b, 0o755))
	}
	public, private, err := ed25519.GenerateKey(nil)
	w.must(err)
	w.key = private
	w.must(os.WriteFile(filepath.Join(keys, control.CommandPub), []byte(base64.StdEncoding.EncodeToString(public)), 0o600))

	out, err := exec.Command(filepath.Join(bin, "injector"), "lab", "up", "testdata/wire/lab.yaml", "--services", services, "--keys", keys).CombinedOutput()
	id := regexp.MustCompile(`lab (\S+) is up`).FindSubmatch(out)
	if err != nil || id == nil {
		t.Fatalf("raise lab: %v\n%s", err, out)
	}
	w.lab = string(id[1])
	t.Cleanup(func() {
		if out, err := exec.Command(filepath.Join(bin, "injector"), "lab", "down", w.lab).CombinedOutput(); err != nil {
			t.Errorf("take lab down: %v\n%s", err, out)
		}
	})
	w.connect()
	return w
}

// connect reaches the broker and waits for the agent.
func (w *wire) connect() {
	w.t.Helper()
	var err error
	w.nc, err = control.Dial("nats://"+brokerAddress, "injector", slog.New(slog.DiscardHandler), nats.SetCustomDialer(w))
	w.must(err)
	w.t.Cleanup(w.nc.Close)
	w.caller, err = control.NewCaller(w.nc, w.key, "run1", "plan")
	w.must(err)
	w.t.Cleanup(w.caller.Close)
	go func() {
		for range w.caller.Events() { // evidence is for the injector's own tests
		}
	}()
	w.within(20*time.Second, "the agent serves", func() bool {
		var s control.StatusReply
		return w.call(control.VerbStatus, nil, &s) == nil && s.Guardian
	})
}

// Dial connects from the host clients, whatever address it is asked for.
func (w *wire) Dial(string, string) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	near, far := os.NewFile(uintptr(fds[0]), "near"), os.NewFile(uintptr(fds[1]), "far")
	defer near.Close()
	defer far.Close()
	cmd := w.inHost("clients", inHosts+tunnel, brokerAddress)
	cmd.Stdin, cmd.Stdout = far, far
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	return net.FileConn(near)
}

func (w *wire) inHost(host string, argv ...string) *exec.Cmd {
	return exec.Command(filepath.Join(bin, "injector"), append([]string{"lab", "exec", "--lab", w.lab, host, "--"}, argv...)...)
}

// reaches says whether address accepts connections from host within a second.
func (w *wire) reaches(host, address string) bool {
	w.t.Helper()
	err := w.inHost(host, inHosts+tunnel, address).Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != unreached) {
		w.t.Fatalf("dial %s from %s: %v", address, host, err)
	}
	return err == nil
}

// call sends a command of the key that n1 obeys.
func (w *wire) call(v control.Verb, body, out any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return w.caller.Call(ctx, "n1", v, body, out)
}

// send sends bytes as they are and returns the agent's refusal, if any.
func (w *wire) send(b []byte) *control.RemoteError {
	w.t.Helper()
	m, err := w.nc.Request(control.SubjectCommands+control.Token("n1"), b, 5*time.Second)
	w.must(err)
	var reply struct{ Error *control.RemoteError }
	w.must(json.Unmarshal(m.Data, &reply))
	return reply.Error
}

// host is all there is to see of n1: its digest and the agent's journal.
func (w *wire) host() string {
	w.t.Helper()
	var d control.DigestReply
	w.must(w.call(control.VerbDigest, control.DigestRequest{}, &d))
	journal, err := w.inHost("n1", inHosts+"hostagent", "status", "--json", "--root", agentState).Output()
	w.must(err)
	b, err := json.MarshalIndent(d, "", " ")
	w.must(err)
	return string(b) + "\n" + string(journal)
}

func (w *wire) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) within(d time.Duration, what string, reached func() bool) {
	w.t.Helper()
	for end := time.Now().Add(d); !reached(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("not within %s: %s", d, what)
		}
	}
}

// tunnel is the name under which this test binary connects its standard input
// and output with an address. It ends at the end of its input.
const tunnel = "tunnel"

// unreached is its exit code when nobody answers at the address.
const unreached = 9

func beTunnel(address string) int {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return unreached
	}
	defer c.Close()
	go func() { _, _ = io.Copy(os.Stdout, c) }()
	_, _ = io.Copy(c, os.Stdin) // either side may go away at any time
	return 0
}
