package partition

import (
	"errors"
	"net"
	"testing"

	"github.com/firedrill-io/firedrill/plugins/fault"
)

// Routes know no ports: what would cut the control connection is refused, and
// what would not is taken.
func TestFallbackNeverCutsTheControlConnection(t *testing.T) {
	w := newWire(t)
	w.target.Exempt = append(w.target.Exempt, mustAddrPort(addrB+":4222"))
	p := New()
	p.noBPF = true
	for to, refused := range map[string]bool{addrB: true, "0.0.0.0/0": true, "192.0.2.0/24": false} {
		_, err := p.Prepare(t.Context(), w.target, Params{To: []string{to}})
		var r *fault.RefusedError
		if got := errors.As(err, &r) && r.Field == "to"; got != refused || !refused && err != nil {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// Nor a session of somebody who is logged in.
func TestFallbackNeverCutsASession(t *testing.T) {
	w := newWire(t)
	var l net.Listener
	must(t, w.a.Do(func() (err error) { l, err = net.Listen("tcp", addrA+":22"); return err }))
	defer l.Close()
	p := New()
	p.noBPF = true
	if _, err := p.Prepare(t.Context(), w.target, Params{To: []string{addrB}}); err != nil {
		t.Errorf("nobody is logged in: %v", err)
	}
	var c net.Conn
	must(t, w.b.Do(func() (err error) { c, err = net.Dial("tcp", addrA+":22"); return err }))
	defer c.Close()
	_, err := p.Prepare(t.Context(), w.target, Params{To: []string{everybody}})
	var r *fault.RefusedError
	if !errors.As(err, &r) || r.Field != "to" {
		t.Errorf("somebody is logged in: %v", err)
	}
}
