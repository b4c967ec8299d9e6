package pluginhost_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/pluginhost"
	"github.com/firedrill-io/firedrill/internal/proc"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

const python = "../../plugins/examples/python/hops.py"

// knobOf makes a /proc for the Python plugin to read and write.
func knobOf(t *testing.T, text string) (root, knob string) {
	t.Helper()
	root = t.TempDir()
	knob = filepath.Join(root, "sys/net/ipv4/ip_default_ttl")
	if err := os.MkdirAll(filepath.Dir(knob), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(knob, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return root, knob
}

func launchPython(t *testing.T, root string, c pluginhost.Config) *pluginhost.Plugin {
	t.Helper()
	need.Check(t, need.Python)
	path, err := filepath.Abs(python)
	if err != nil {
		t.Fatal(err)
	}
	if c.Path == "" {
		c.Path = path
	}
	c.Kind, c.Dir, c.Env = "hops", shortDir(t), []string{"HOPS_PROC=" + root}
	p, err := pluginhost.Launch(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Errors of a plugin in another language are the same typed errors.
func TestErrorsOfAPythonPluginStayTyped(t *testing.T) {
	root, knob := knobOf(t, "57\n")
	p := launchPython(t, root, pluginhost.Config{})
	prepare := func(params string) (json.RawMessage, error) {
		return p.Prepare(t.Context(), fault.Target{}, json.RawMessage(params))
	}
	for params, field := range map[string]string{`{"hops":256}`: "hops", `{"hops":"9"}`: "hops", `{"hop":9}`: "hop", `{`: "", `[]`: "", `{"hops":57}`: "hops"} {
		var r *fault.RefusedError
		if _, err := prepare(params); !errors.As(err, &r) || r.Field != field || r.Reason == "" || strings.HasPrefix(r.Reason, "refused") {
			t.Errorf("%s: error %v, refusal %+v", params, err, r)
		}
	}
	change, err := prepare(`{"hops":9}`)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(knob, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	apply := func() error {
		applied, err := p.Apply(t.Context(), []fault.RawItem{{ID: "i", Change: change}}, 0, 0)
		if err != nil {
			return err
		}
		return applied[0].Err.Err()
	}
	write("33")
	if err := apply(); !errors.Is(err, fault.ErrChanged) {
		t.Errorf("apply on another value: %v", err)
	}
	if err := p.Revert(t.Context(), fault.Target{}, change); !errors.Is(err, fault.ErrStuck) {
		t.Errorf("revert of another value: %v", err)
	}
	elsewhere := json.RawMessage(strings.Replace(string(change), `"where": "`, `"where": "x`, 1))
	if err := p.Revert(t.Context(), fault.Target{}, elsewhere); !errors.Is(err, fault.ErrGone) {
		t.Errorf("revert in another namespace: %v", err)
	}
	write("no number")
	var internal *fault.Error
	if _, err := prepare(`{"hops":9}`); !errors.As(err, &internal) || internal.Code != fault.CodeInternal || !strings.Contains(err.Error(), "ValueError") {
		t.Errorf("a bug of the plugin: %v", err)
	}
	if err := os.Remove(knob); err != nil {
		t.Fatal(err)
	}
	if _, err := prepare(`{"hops":9}`); !errors.Is(err, fault.ErrUnsupported) {
		t.Errorf("prepare without the knob: %v", err)
	}
}

// A plugin that speaks no version of the contract that we do is refused, and
// both sides' versions are named.
func TestPluginOfAnotherContractIsRefused(t *testing.T) {
	need.Check(t, need.Python)
	b, err := os.ReadFile(python)
	if err != nil {
		t.Fatal(err)
	}
	for contracts, ok := range map[string]bool{"(7,)": false, "(1, 7)": true} {
		path := filepath.Join(t.TempDir(), "hops.py")
		if err := os.WriteFile(path, []byte(strings.Replace(string(b), "CONTRACTS = (1,)", "CONTRACTS = "+contracts, 1)), 0o755); err != nil {
			t.Fatal(err)
		}
		p, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "hops", Path: path, Dir: shortDir(t)})
		if err == nil {
			if got := p.Contract(); got != 1 {
				t.Errorf("%s: negotiated version %d", contracts, got)
			}
			p.Kill()
		}
		if (err == nil) != ok || err != nil && (!strings.Contains(err.Error(), "7") || !strings.Contains(err.Error(), "[1]")) {
			t.Errorf("%s: %v", contracts, err)
		}
	}
}

// A confined plugin has the capabilities it was granted, and can get no others.
func TestConfinedPluginHasWhatItWasGranted(t *testing.T) {
	need.Check(t, need.Root)
	root, _ := knobOf(t, "57\n")
	for name, c := range map[string]struct {
		granted []string
		bits    string
	}{
		"one":  {[]string{"CAP_NET_ADMIN"}, "0000000000001000"},
		"two":  {[]string{"CAP_NET_ADMIN", "CAP_BPF"}, "0000008000001000"},
		"none": {nil, "0000000000000000"},
	} {
		p := launchPython(t, root, pluginhost.Config{Confined: true, Capabilities: c.granted})
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			if !strings.Contains(string(b), set+":\t"+c.bits+"\n") {
				t.Errorf("%s: %s is not %s", name, set, c.bits)
			}
		}
		if !strings.Contains(string(b), "NoNewPrivs:\t1\n") {
			t.Errorf("%s: may get new privileges", name)
		}
		if _, err := p.Prepare(t.Context(), fault.Target{}, json.RawMessage(`{"hops":9}`)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The twin: an ordinary plugin of root has more.
	p := launchPython(t, root, pluginhost.Config{})
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID())); err != nil || strings.Contains(string(b), "CapEff:\t0000000000001000\n") {
		t.Errorf("not confined, and as good as: %v", err)
	}
	_, err := pluginhost.Launch(t.Context(), pluginhost.Config{Kind: "x", Path: "/bin/true", Dir: shortDir(t), Confined: true, Capabilities: []string{"CAP_ALL"}})
	if err == nil || !strings.Contains(err.Error(), "CAP_ALL") {
		t.Errorf("a capability that does not exist: %v", err)
	}
}

// A plugin in Python ends its fault at its end, though its agent is dead.
func TestPythonPluginRevertsWhenItsAgentIsGone(t *testing.T) {
	need.Check(t, need.Python)
	root, knob := knobOf(t, "57")
	path, err := filepath.Abs(python)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := proc.Start(proc.Spec{
		Path: proc.Self, Args: []string{pythonAgentRole, path, root, filepath.Join(t.TempDir(), "lock"), shortDir(t)}, Stderr: os.Stderr,
	})
	if err != nil {
		t.Fatal(err)
	}
	holds := func(text string) func() bool {
		return func() bool { b, err := os.ReadFile(knob); return err == nil && string(b) == text }
	}
	eventually(t, "the fault", 10*time.Second, holds("9"))
	if err := agent.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.Wait(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond)
	if !holds("9")() {
		t.Error("the fault ended with the agent, before its end")
	}
	eventually(t, "the revert", 5*time.Second, holds("57"))
}

// pythonAgentRole makes this test binary an agent with a Python plugin, that
// applies and then sits there to be killed.
const pythonAgentRole = "test-python-agent"

func runPythonAgent(args []string) error {
	ctx := context.Background()
	p, err := pluginhost.Launch(ctx, pluginhost.Config{Kind: "hops", Path: args[0], Env: []string{"HOPS_PROC=" + args[1]}, Lock: args[2], Dir: args[3]})
	if err != nil {
		return err
	}
	change, err := p.Prepare(ctx, fault.Target{}, json.RawMessage(`{"hops":9}`))
	if err != nil {
		return err
	}
	if _, err := p.Apply(ctx, []fault.RawItem{{ID: "i", Change: change}}, 0, fault.Now().Add(1500*time.Millisecond)); err != nil {
		return err
	}
	select {}
}
