package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/internal/journal"
	"github.com/firedrill-io/firedrill/internal/need"
	"github.com/firedrill-io/firedrill/internal/pluginfolder"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// hopsWorld is a world whose agent has the plugin in Python, which is let loose
// on the world's knob instead of the kernel's.
func hopsWorld(t *testing.T) (w *world, exe string) {
	t.Helper()
	need.Check(t, need.Root, need.Python)
	w = newWorld(t)
	w.must(os.WriteFile(w.knob, []byte("57"), 0o600))
	b, err := os.ReadFile("../plugins/examples/python/hops.py")
	w.must(err)
	text := strings.Replace(string(b), `KNOB = PROC + "/sys/net/ipv4/ip_default_ttl"`, fmt.Sprintf("KNOB = %q", w.knob), 1)
	folder := filepath.Join(filepath.Dir(w.root), "plugins")
	exe = filepath.Join(folder, "hops", "hops.py")
	w.must(os.MkdirAll(filepath.Dir(exe), 0o755))
	w.must(os.WriteFile(exe, []byte(text), 0o755))
	digest, err := pluginfolder.Digest(exe)
	w.must(err)
	manifest, err := json.Marshal(pluginfolder.Manifest{
		Executable: "hops.py", SHA256: digest, Contracts: []int{1}, Capabilities: []string{"CAP_NET_ADMIN"},
		Info: fault.Info{
			Kind: "hops", PluginVersion: "1.0.0", Destroys: fault.DestroysNothing, Params: json.RawMessage(`{}`),
			Needs:      fault.Needs{Capabilities: []string{"CAP_NET_ADMIN"}},
			Protection: []fault.Protection{fault.ProtectPluginTimer, fault.ProtectGuardian, fault.ProtectJournal},
		},
	})
	w.must(err)
	w.must(os.WriteFile(filepath.Join(folder, "hops", pluginfolder.ManifestName), manifest, 0o644))
	w.serve = []string{"--plugins", folder}
	w.start()
	return w, exe
}

func (w *world) injectHops() fault.InjectionID {
	w.t.Helper()
	id, err := w.injectKind("hops", json.RawMessage(`{"hops":33}`), hour)
	w.must(err)
	if got := w.read(); got != "33" {
		w.t.Fatalf("injected, but the knob holds %q", got)
	}
	return id
}

// asFound asserts that within d the knob is as it was and nothing is live.
func (w *world) asFound(d time.Duration) {
	w.t.Helper()
	within(w.t, d, "the knob is as before", func() bool { return w.read() == "57" })
	within(w.t, 5*time.Second, "nothing is live in the journal", func() bool { return len(w.live()) == 0 })
}

// groups are those that third-party plugins have below that of all plugins.
func (w *world) groups() (dirs []string) {
	for _, dir := range w.state().Groups {
		found, err := filepath.Glob(filepath.Join(dir, "hops.*"))
		w.must(err)
		dirs = append(dirs, found...)
	}
	return dirs
}

// hops lists the processes in them. Without groups there is nothing to be seen.
func (w *world) hops() (pids []int) {
	w.t.Helper()
	for _, dir := range w.groups() {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		w.must(err)
		for _, f := range strings.Fields(string(b)) {
			pid, err := strconv.Atoi(f)
			w.must(err)
			pids = append(pids, pid)
		}
	}
	if len(w.state().Groups) > 0 && len(pids) != 1 {
		w.t.Errorf("processes in the plugin's group: %v", pids)
	}
	return pids
}

func (w *world) live() []journal.Record {
	live, _, bad, err := journal.Read(journal.Path(w.root))
	w.must(errors.Join(err, bad))
	return live
}

// A third-party plugin runs in a group of its own below that of all plugins,
// with the capabilities it was granted, and its record pins its executable.
func TestThirdPartyPlugin(t *testing.T) {
	w, exe := hopsWorld(t)
	id := w.injectHops()
	if p := w.live()[0].Program; p == nil || p.Path != exe || pluginfolder.Verify(exe, p.SHA256) != nil {
		t.Errorf("the record pins %+v", p)
	}
	for _, pid := range w.hops() {
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
		if err != nil || !strings.Contains(string(status), "CapEff:\t0000000000001000\n") {
			t.Errorf("the plugin has more than CAP_NET_ADMIN, or is not in its group: %v", err)
		}
	}
	var reply control.RevertReply
	w.must(w.call(control.VerbRevert, control.InjectionsRequest{IDs: []fault.InjectionID{id}}, &reply))
	if len(reply.Ended) != 1 || reply.Ended[0].Phase != string(journal.Reverted) {
		t.Fatalf("%+v", reply)
	}
	w.asFound(0)
	within(t, 5*time.Second, "the plugin's group is gone", func() bool { return len(w.groups()) == 0 })
	if _, err := w.injectKind("hops", json.RawMessage(`{"hops":256}`), hour); err == nil || !strings.Contains(err.Error(), "refused: hops") {
		t.Errorf("a wrong parameter: %v", err)
	}
	if got := w.read(); got != "57" {
		t.Errorf("a refused injection changed the knob to %s", got)
	}
}

// The agent is dead and its plugins with it: the guardian starts the pinned
// executable to revert.
func TestGuardianRevertsAThirdPartyInjection(t *testing.T) {
	w, _ := hopsWorld(t)
	w.injectHops()
	w.must(w.agent.Kill())
	began := time.Now()
	w.asFound(promiseDead)
	t.Logf("reverted %s after the agent's death", time.Since(began))
	if by := w.past()[0].By; by != journal.ByGuardian {
		t.Errorf("reverted by %q", by)
	}
}

// The plugin dies and the agent lives: the agent starts it anew to revert.
func TestThirdPartyPluginKilled(t *testing.T) {
	w, _ := hopsWorld(t)
	w.injectHops()
	for _, pid := range w.hops() {
		w.must(syscall.Kill(pid, syscall.SIGKILL))
	}
	w.asFound(promiseDead)
	if by := w.past()[0].By; by != journal.ByAgent {
		t.Errorf("reverted by %q", by)
	}
}

// All are dead, and the executable was replaced: nothing else is started in its
// place, and it is said. With the pinned one back, revert --all reverts.
func TestColdRevertStartsThePinnedExecutableOnly(t *testing.T) {
	w, exe := hopsWorld(t)
	w.injectHops()
	state := w.state()
	w.must(syscall.Kill(state.Guardian.PID, syscall.SIGSTOP)) // so that it does not take over
	w.must(w.agent.Signal(syscall.SIGSTOP))
	for _, dir := range state.Groups {
		w.must(os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0))
	}
	w.must(w.agent.Kill())
	w.must(syscall.Kill(state.Guardian.PID, syscall.SIGKILL))
	within(t, 5*time.Second, "the agent ends", func() bool { return !state.Agent.Alive() && !state.Guardian.Alive() })
	if got := w.read(); got != "33" {
		t.Fatalf("somebody reverted: %s", got)
	}
	pinned, err := os.ReadFile(exe)
	w.must(err)
	w.must(os.WriteFile(exe, append(pinned, '\n'), 0o755))
	if code := w.run(nil, "revert", "--all", "--within", "1s"); code != exitResidue {
		t.Errorf("revert --all with another executable: exit code %d", code)
	}
	if got := w.read(); got != "33" {
		t.Errorf("another executable was started: %s", got)
	}
	w.must(os.WriteFile(exe, pinned, 0o755))
	if code := w.run(nil, "revert", "--all"); code != exitOK {
		t.Errorf("revert --all: exit code %d", code)
	}
	w.asFound(0)
}

// An executable that is another one than at the agent's start is refused.
func TestReplacedPluginIsRefused(t *testing.T) {
	w, exe := hopsWorld(t)
	pinned, err := os.ReadFile(exe)
	w.must(err)
	w.must(os.WriteFile(exe, append(pinned, '\n'), 0o755))
	if _, err := w.injectKind("hops", json.RawMessage(`{"hops":33}`), hour); err == nil || !strings.Contains(err.Error(), "refused: plugin hops: another executable") {
		t.Errorf("started: %v", err)
	}
	w.asFound(0)
}
