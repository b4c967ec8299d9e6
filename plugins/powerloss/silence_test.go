package powerloss

import (
	"bufio"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/internal/lab"
)

// heard collects for a while what a peer of a host says about its connection to
// the host, from the moment end has ended the host.
func heard(t *testing.T, l *lab.Lab, end func()) string {
	t.Helper()
	addr := statusOf(t, l, "p1").Address + ":7001"
	_, listening := start(t, l, "p1", "listen", addr)
	if !bufio.NewScanner(listening).Scan() {
		t.Fatal("nobody listens")
	}
	peer, out := start(t, l, "p2", "dial", addr)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "connected" {
		t.Fatalf("the peer says %q", lines.Text())
	}
	end()
	time.AfterFunc(time.Second, func() { _ = peer.Kill() })
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	return last
}

// A peer of a host that loses its power hears nothing: no FIN, no RST. The twin
// kills the host instead, and the peer is told at once.
func TestPeersHearNothing(t *testing.T) {
	l := raise(t, 2)
	items := prepared(t, l, "p1")
	if got := heard(t, l, func() { dark(t, items) }); got != "silent" {
		t.Errorf("power loss: the peer's connection is %s, want silent", got)
	}
	lit(t, items)
	s := statusOf(t, l, "p1")
	if got := heard(t, l, func() { killed(t, s) }); got == "silent" {
		t.Error("kill -9: the peer's connection is silent, want it closed or reset")
	}
}
