package e2e

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/firedrill-io/firedrill/internal/control"
	"github.com/firedrill-io/firedrill/plugins/fault"
)

// letter is one command as somebody who holds the broker may send it.
func (w *wire) letter(key ed25519.PrivateKey, id string, v control.Verb, issued time.Time, body any) []byte {
	w.t.Helper()
	text, err := json.Marshal(body)
	w.must(err)
	b, err := control.Sign(key, control.Command{ID: id, Run: "run1", PlanDigest: "plan", Agents: []string{"n1"},
		Issued: issued, NotAfter: issued.Add(time.Minute), Verb: v, Body: text})
	w.must(err)
	return b
}

// life returns the commands that bring injection id into force, a second from now.
func (w *wire) life(key ed25519.PrivateKey, id fault.InjectionID, lease time.Duration, params string) map[control.Verb][]byte {
	now := time.Now()
	ids := []fault.InjectionID{id}
	order := control.Injection{ID: id, Kind: "partition", Host: "n1", Stage: "s", Params: json.RawMessage(params)}
	out := map[control.Verb][]byte{}
	for v, body := range map[control.Verb]any{
		control.VerbPrepare: control.PrepareRequest{Injections: []control.Injection{order}},
		control.VerbArm:     control.ArmRequest{IDs: ids, At: now.Add(2 * time.Second), End: now.Add(time.Minute), Lease: lease},
		control.VerbFire:    control.FireRequest{IDs: ids},
		control.VerbRevert:  control.InjectionsRequest{IDs: ids},
		control.VerbHalt:    nil,
	} {
		out[v] = w.letter(key, fmt.Sprintf("%s-%s", id, v), v, now, body)
	}
	return out
}

// refused asserts that each letter is refused with code, and that the host and
// the journal are afterwards as they were.
func (w *wire) refused(code control.Code, message string, letters ...[]byte) {
	w.t.Helper()
	before := w.host()
	for _, b := range letters {
		switch e := w.send(b); {
		case e == nil:
			w.t.Errorf("carried out: %s", b)
		case e.Code != code || !strings.HasSuffix(e.Error(), message):
			w.t.Errorf("refused with code %q and message %q, want %q and %q", e.Code, e, code, message)
		}
	}
	if diff := cmp.Diff(before, w.host()); diff != "" {
		w.t.Errorf("a refused command changed something:\n%s", diff)
	}
}

// accepted is the twin of refused: the same letters under the right key, once.
func (w *wire) accepted(letters ...[]byte) {
	w.t.Helper()
	for _, b := range letters {
		if e := w.send(b); e != nil {
			w.t.Fatalf("refused: %v", e)
		}
	}
}

// inForce waits until the injection acts.
func (w *wire) inForce(id fault.InjectionID) {
	w.t.Helper()
	w.within(10*time.Second, "the fault is in force", func() bool {
		var o control.ObserveReply
		err := w.call(control.VerbObserve, control.InjectionsRequest{IDs: []fault.InjectionID{id}}, &o)
		return err == nil && len(o.Observed) == 1 && o.Observed[0].Observation.State == fault.Present
	})
}

const cutFromN2 = `{"to": ["10.77.1.2"], "ports": ["8080"]}`

// Whoever holds the broker can drop commands, but forge none.
func TestForgedCommands(t *testing.T) {
	beside(t)
	w := standUp(t, filepath.Join(bin, "hostagent"))
	found := w.host()
	_, strange, err := ed25519.GenerateKey(nil)
	w.must(err)
	forged := w.life(strange, "i1", time.Minute, cutFromN2)
	for _, b := range forged {
		w.refused(control.CodeSignature, "agent n1: wrong signature", b)
	}

	// The twin: the same commands under the right key.
	w.enact("i1")
	if cmp.Diff(found, w.host()) == "" {
		t.Error("a fault is in force, and the comparison of the host does not see it")
	}
	if w.reaches("n2", "10.77.1.1:8080") {
		t.Error("a fault is in force, but n2 reaches n1")
	}
	w.refused(control.CodeSignature, "agent n1: wrong signature", forged[control.VerbRevert], forged[control.VerbHalt])
}

// A command works once: not again while its fault lives, nor when that is over,
// nor after a restart of the agent.
func TestRepeatedCommands(t *testing.T) {
	beside(t)
	w := standUp(t, filepath.Join(bin, "hostagent"))
	sent := w.enact("i1")
	again := func() {
		for _, v := range []control.Verb{control.VerbPrepare, control.VerbArm, control.VerbFire} {
			w.refused(control.CodeReplayed, fmt.Sprintf("agent n1: command i1-%s: replayed", v), sent[v])
		}
	}
	again()
	w.accepted(sent[control.VerbRevert])
	again()
	w.restart()
	again()
	if !w.reaches("n2", "10.77.1.1:8080") {
		t.Error("the fault was reverted, but n2 does not reach n1")
	}
}

// Age and repetition do not stop a halt, as it only makes a host safer. They
// stop everything else.
func TestOldHalt(t *testing.T) {
	beside(t)
	w := standUp(t, filepath.Join(bin, "hostagent"))
	w.enact("i1")
	old := time.Now().Add(-2 * time.Hour)
	renew := w.letter(w.key, "renew", control.VerbRenew, old, control.RenewRequest{IDs: []fault.InjectionID{"i1"}, Lease: time.Hour})
	before := w.host()
	if e := w.send(renew); e == nil || e.Code != control.CodeExpired {
		t.Errorf("an old renewal: %v, want it refused as expired", e)
	}
	if diff := cmp.Diff(before, w.host()); diff != "" {
		t.Errorf("an old renewal changed something:\n%s", diff)
	}
	halt := w.letter(w.key, "halt", control.VerbHalt, old, nil)
	w.accepted(halt)
	if !w.reaches("n2", "10.77.1.1:8080") {
		t.Error("an old halt was accepted, but n2 does not reach n1")
	}
	w.accepted(halt)
}

// enact brings a fault into force and returns the commands that did.
func (w *wire) enact(id fault.InjectionID) map[control.Verb][]byte {
	w.t.Helper()
	sent := w.life(w.key, id, time.Minute, cutFromN2)
	w.accepted(sent[control.VerbPrepare], sent[control.VerbArm], sent[control.VerbFire])
	w.inForce(id)
	return sent
}

// restart kills the agent; the host's hostinit starts it again.
func (w *wire) restart() {
	w.t.Helper()
	pid := func() (s struct {
		PID   int    `json:"pid"`
		Agent string `json:"agent"`
	}) {
		b, err := w.inHost("n1", inHosts+"hostagent", "status", "--json", "--root", agentState).Output()
		w.must(err)
		w.must(json.Unmarshal(b, &s))
		return s
	}
	old := pid()
	w.must(w.inHost("n1", "kill", "-9", fmt.Sprint(old.PID)).Run())
	w.within(20*time.Second, "the agent is started again", func() bool {
		s := pid()
		var reply control.StatusReply
		return s.PID != 0 && s.PID != old.PID && w.call(control.VerbStatus, nil, &reply) == nil && reply.Guardian
	})
}
