package reset

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/containertest"
	"github.com/firedrill-io/firedrill/plugins/internal/processtest"
	"github.com/firedrill-io/firedrill/plugins/internal/scope"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// held has a program in A connect to B, and gives B's end.
func held(t *testing.T, w *traffictest.Wire, k *traffictest.Talker, at string) net.Conn {
	t.Helper()
	var l net.Listener
	faulttest.Must(t, w.B.Do(func() (err error) { l, err = net.Listen("tcp", at); return err }))
	defer l.Close()
	if said := k.Ask(t, "hold "+at); said != "ok" {
		t.Fatalf("connect to %s: %s", at, said)
	}
	conn, err := l.Accept()
	faulttest.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// stands says whether nothing was heard of a connection's end.
func stands(t *testing.T, c net.Conn) bool {
	t.Helper()
	faulttest.Must(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// Only the connections of the processes that are meant are reset: of a control
// group, or of a program; to the same peer as those of others, in both families.
func TestOneProgram(t *testing.T) {
	w := traffictest.New(t)
	dir, path := processtest.Group(t)
	service, other := w.Talker(t, dir), w.Talker(t)
	for name, s := range map[string]scope.Selection{
		"group":   {Scope: scope.Scope{Group: path}},
		"program": {Executable: service.Path},
	} {
		for _, at := range []string{traffictest.AddrB + ":7000", "[" + traffictest.AddrB6 + "]:7000"} {
			mine, theirs := held(t, w, service, at), held(t, w, other, at)
			twin := New()
			twin.noEffect = true
			faulttest.Must(t, twin.Revert(t.Context(), w.Target, inject(t, twin, w.Target, Params{Selection: s})))
			if !stands(t, mine) {
				t.Errorf("%s, %s: reset without effect", name, at)
			}
			r := New()
			c := inject(t, r, w.Target, Params{Selection: s})
			if stands(t, mine) || !stands(t, theirs) {
				t.Errorf("%s, %s: stands %t, of another %t", name, at, stands(t, mine), stands(t, theirs))
			}
			faulttest.Must(t, r.Revert(t.Context(), w.Target, c))
		}
	}
}

// The connections of a container are those in its own network.
func TestOneContainer(t *testing.T) {
	w := traffictest.New(t)
	spec := containertest.Spec{ID: containertest.ID("feed00000001"), Role: processtest.Talk, Network: w.PathOfA()}
	conn := held(t, w, w.Join(t, containertest.Start(t, spec).Program), traffictest.AddrB+":7001")
	r := New()
	c := inject(t, r, fault.Target{}, Params{Selection: scope.Selection{Scope: containertest.Named(spec.ID[:12])}})
	if stands(t, conn) {
		t.Error("not reset")
	}
	faulttest.Must(t, r.Revert(t.Context(), fault.Target{}, c))
}
