package partition

import (
	"errors"
	"net"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
	"github.com/firedrill-io/firedrill/plugins/faulttest"
	"github.com/firedrill-io/firedrill/plugins/internal/traffictest"
)

// Routes know no ports: what would cut the control connection is refused, and
// what would not is taken.
func TestFallbackNeverCutsTheControlConnection(t *testing.T) {
	w := traffictest.New(t)
	w.Target.Exempt = append(w.Target.Exempt, mustAddrPort(traffictest.AddrB+":4222"))
	p := New()
	p.noBPF = true
	for to, refused := range map[string]bool{traffictest.AddrB: true, "0.0.0.0/0": true, "192.0.2.0/24": false} {
		_, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{to}}})
		var r *fault.RefusedError
		if got := errors.As(err, &r) && r.Field == "to"; got != refused || !refused && err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// Nor a session of somebody who is logged in.
func TestFallbackNeverCutsASession(t *testing.T) {
	w := traffictest.New(t)
	var l net.Listener
	faulttest.Must(t, w.A.Do(func() (err error) { l, err = net.Listen("tcp", traffictest.AddrA+":22"); return err }))
	defer l.Close()
	p := New()
	p.noBPF = true
	if _, err := p.Prepare(t.Context(), w.Target, Params{sel{To: []string{traffictest.AddrB}}}); err != nil {
		t.Errorf("nobody is logged in: %v", err)
	}
	var c net.Conn
	faulttest.Must(t, w.B.Do(func() (err error) { c, err = net.Dial("tcp", traffictest.AddrA+":22"); return err }))
	defer c.Close()
	faulttest.PrepareRefused(t, p, w.Target, Params{sel{To: []string{everybody}}}, "to") // somebody is
}
