package pluginhost_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// TestMain is the plugin when this test binary is started as one.
func TestMain(m *testing.M) {
	pluginhost.Main()
	if os.Getenv(fault.Handshake.MagicCookieKey) != "" {
		fault.Serve(fault.NewDriver(note{}))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == agentRole {
		fmt.Fprintln(os.Stderr, runAgent(os.Args[2:]))
		os.Exit(1)
	}
	if len(os.Args) > 1 && os.Args[1] == pythonAgentRole {
		fmt.Fprintln(os.Stderr, runPythonAgent(os.Args[2:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// note is a fault that writes a file.
type note struct{}

type noteParams struct {
	Path  string `json:"path"`
	Print int    `json:"print,omitempty"` // bytes for Apply to print
}

func (note) Describe() fault.Info { return fault.Info{Kind: "note", Summary: "writes a file"} }

func (note) Prepare(_ context.Context, _ fault.Target, p noteParams) (noteParams, error) {
	if p.Path == "" {
		return p, fault.Refuse("path", "is empty")
	}
	return p, nil
}

func (note) Apply(ctx context.Context, _ fault.Target, p noteParams, _, _ fault.BootTime) error {
	fault.Mark(ctx, "first")
	os.Stdout.WriteString(strings.Repeat("x", p.Print))
	fault.Logger(ctx).Info("writing", "path", p.Path)
	return os.WriteFile(p.Path, []byte("here"), 0o600)
}

func (note) Observe(_ context.Context, _ fault.Target, p noteParams) (fault.Observation, error) {
	if _, err := os.Stat(p.Path); err != nil {
		return fault.Observation{State: fault.Absent, Dose: fault.NotInForce}, nil
	}
	return fault.Observation{State: fault.Present, Dose: fault.InForce, Achieved: []fault.Measure{{Name: "files", Value: 1, Unit: "1"}}}, nil
}

func (note) Revert(_ context.Context, _ fault.Target, p noteParams) error {
	if err := os.Remove(p.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// shortDir is for sockets, whose paths are short: t.TempDir carries the test's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "fd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func launch(t *testing.T, log *slog.Logger) *pluginhost.Plugin {
	t.Helper()
	p, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "note", Path: "/proc/self/exe", Dir: shortDir(t), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestLifeOfAnInjection(t *testing.T) {
	var log lockedBuffer
	p := launch(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	ctx := t.Context()
	info, err := p.Describe(ctx)
	if err != nil || info.Kind != "note" || info.ContractVersion != fault.ContractVersion {
		t.Fatalf("describe: %+v, %v", info, err)
	}
	path := filepath.Join(t.TempDir(), "note")
	change, err := p.Prepare(ctx, fault.Target{Host: "h"}, json.RawMessage(`{"path":"`+path+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	at := fault.Now().Add(100 * time.Millisecond)
	applied, err := p.Apply(ctx, []fault.RawItem{{ID: "i1", Change: change}}, at, 0)
	if err != nil || applied[0].Err != nil {
		t.Fatalf("apply: %+v, %v", applied, err)
	}
	a := applied[0]
	if a.ID != "i1" || a.At != at || a.Woke < at || a.Done < a.Woke || len(a.Phase) != 1 || a.Phase[0].Name != "first" {
		t.Errorf("applied = %+v", a)
	}
	t.Logf("wake error %v by %s", a.Woke.Sub(a.At), a.Timer)
	if os.Geteuid() == 0 && a.Timer != fault.TimerFIFO {
		t.Errorf("timer = %s as root, want %s", a.Timer, fault.TimerFIFO)
	}
	if o, err := p.Observe(ctx, fault.Target{}, change); err != nil || o.State != fault.Present || len(o.Achieved) != 1 {
		t.Errorf("observe: %+v, %v", o, err)
	}
	if err := p.Revert(ctx, fault.Target{}, change); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not reverted: %v", err)
	}
	p.Kill()
	if !strings.Contains(log.String(), "msg=writing") {
		t.Errorf("the plugin's log did not arrive:\n%s", log.String())
	}
}

func TestErrorsCrossTheWire(t *testing.T) {
	p := launch(t, nil)
	for params, field := range map[string]string{`{"path":""}`: "path", `{"pth":"x"}`: "pth", `{"path":7}`: "path"} {
		_, err := p.Prepare(t.Context(), fault.Target{}, json.RawMessage(params))
		var refused *fault.RefusedError
		if !errors.As(err, &refused) || refused.Field != field {
			t.Errorf("prepare %s: %v, want a refusal of %s", params, err, field)
		}
	}
}

// A plugin that prints must not block: nobody reads what go-plugin would collect.
func TestPrintingDoesNotBlock(t *testing.T) {
	p := launch(t, nil)
	change := json.RawMessage(`{"path":"` + filepath.Join(t.TempDir(), "note") + `","print":1000000}`)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := p.Apply(ctx, []fault.RawItem{{ID: "i", Change: change}}, 0, 0); err != nil {
		t.Fatal(err)
	}
}

func TestStoppedPluginIsFoundInTime(t *testing.T) {
	p := launch(t, nil)
	within := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return p.Healthy(ctx)
	}
	if err := within(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stopped := func() bool {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/stat")
		return err == nil && bytes.Contains(b, []byte(") T "))
	}
	eventually(t, "the stop", time.Second, stopped)
	if err := within(); status.Code(errors.Unwrap(err)) != codes.DeadlineExceeded {
		t.Errorf("health of a stopped plugin: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := p.Observe(ctx, fault.Target{}, json.RawMessage(`{}`)); err == nil {
		t.Error("a stopped plugin answered")
	}
	start := time.Now()
	p.Kill()
	if took := time.Since(start); took > time.Second {
		t.Errorf("kill took %v", took)
	}
	select {
	case <-p.Done():
	default:
		t.Error("killed, but not ended")
	}
}

func TestLaunchOfWhatIsNoPlugin(t *testing.T) {
	for path, args := range map[string][]string{"/bin/false": nil, "/nonexistent": nil} {
		if _, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "x", Path: path, Args: args, Dir: shortDir(t)}); err == nil {
			t.Errorf("launched %s", path)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := pluginhost.Launch(ctx, pluginhost.Config{Kind: "x", Path: "/bin/sleep", Args: []string{"60"}, Dir: shortDir(t)})
	if err == nil || time.Since(start) > 2*time.Second {
		t.Errorf("launch of a silent program: %v after %v", err, time.Since(start))
	}
}

func TestFolderTooLongForSockets(t *testing.T) {
	_, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "note", Path: "/proc/self/exe", Dir: "/" + strings.Repeat("x", 100)})
	if err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("launch: %v", err)
	}
}

func TestSweepRemovesSocketsOnly(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{"plugin-dir123", "else"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := pluginhost.Sweep(dir); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "else" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestNothingIsLeftAfterKill(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := shortDir(t)
	p, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "note", Path: "/proc/self/exe", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	p.Kill()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
